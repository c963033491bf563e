import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { BackupRunInfo } from '../../api/backups.ts';
import { CodeBlock } from '../kit/copy.tsx';
import { Ago, formatBytes, Moment, useNow } from '../kit/figures.tsx';
import { Card, Notice, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { backupsWords } from './backups-words.ts';

interface Plan {
  to: string;
  at: string | null;
  interval: string;
  keepLast: string | null;
  keepWithin: string | null;
}

const FOLLOW_MS = 10_000;
const DAY_MS = 86_400_000;
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: DAY_MS };
/** As the alert BerthBackupLate: twice the period, and then for so long. */
const LATE_FOR_MS = 900_000;

export function Backups() {
  const words = useWords(backupsWords);
  const found = useQuery({
    queryKey: ['backups'],
    queryFn: async () => {
      const [runs, plan] = await Promise.all([server.administration.backups(), planOf()]);
      return { runs, plan };
    },
    refetchInterval: FOLLOW_MS,
  });
  return (
    <Section title={words.title}>
      <Loaded query={found} rows={3}>
        {({ runs, plan }) => (
          <div className="grid gap-4">
            {plan === undefined && (
              <Notice title={words.none}>
                <p>{words.noneWhat}</p>
                <CodeBlock label={words.command} code="berth serve --backup-to /backup/berth --backup-interval 24h" />
                <p>{words.byHand}</p>
              </Notice>
            )}
            <State runs={plan === undefined ? runs : runs.filter((run) => isOf(run.target, plan.to))} plan={plan} />
          </div>
        )}
      </Loaded>
    </Section>
  );
}

async function planOf(): Promise<Plan | undefined> {
  const settings = await server.administration.settings();
  const value = (name: string) => settings.find((setting) => setting.name === name)?.value ?? null;
  const to = value('backupTo');
  const at = value('backupAt');
  const interval = value('backupInterval') ?? '24h';
  if (to === null || (at === null && msOf(interval) === 0)) return undefined;
  return { to, at, interval, keepLast: value('backupKeepLast'), keepWithin: value('backupKeepWithin') };
}

/** A run names its target in full: a folder from the root, a bucket with its last slash. */
function isOf(target: string, to: string): boolean {
  const [full, named] = [target, to].map((text) => text.replace(/\/+$/, '').replace(/^\.\//, ''));
  return full === named || (!to.startsWith('/') && !to.includes('://') && `${full}`.endsWith(`/${named}`));
}

function msOf(text: string): number {
  return [...text.matchAll(/(\d+)(ms|[smhd])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0),
    0,
  );
}

function State({ runs, plan }: { runs: readonly BackupRunInfo[]; plan: Plan | undefined }) {
  const words = useWords(backupsWords);
  const now = useNow();
  const last = runs.find(({ state }) => state === 'done');
  if (plan === undefined && runs.length === 0) return null;
  const since = last === undefined ? runs : runs.slice(0, runs.indexOf(last));
  const failed = since.filter(({ state }) => state === 'failed');
  const running = since.some(({ state }) => state === 'running');
  const period = plan === undefined ? 0 : plan.at === null ? msOf(plan.interval) : DAY_MS;
  const from = last === undefined ? failed.at(-1)?.startedAt : last.startedAt;
  const wait = last === undefined ? 0 : 2 * period;
  const late = period > 0 && from !== undefined && now - Date.parse(from) > wait + LATE_FOR_MS;
  const kept = plan && [
    ...(plan.keepLast === null ? [] : [words.last(plan.keepLast)]),
    ...(plan.keepWithin === null ? [] : [words.within(plan.keepWithin)]),
  ];
  const facts: [string, ReactNode][] = [];
  if (plan !== undefined) {
    facts.push(
      [
        words.to,
        <span key="to" className="break-all">
          {plan.to}
        </span>,
      ],
      [words.often, plan.at === null ? words.every(plan.interval) : words.daily(plan.at)],
      [words.kept, kept?.length ? kept.join(', ') : words.all],
    );
  }
  facts.push([words.success, last === undefined ? words.never : <Moment key="last" at={last.startedAt} />]);
  if (last?.result && last.finishedAt !== null) {
    const { bytes, copiedBytes } = last.result;
    const seconds = Math.ceil((Date.parse(last.finishedAt) - Date.parse(last.startedAt)) / 1_000);
    facts.push(
      [words.took, words.seconds(seconds)],
      [words.size, words.sizeOf(formatBytes(bytes), formatBytes(copiedBytes))],
    );
  }
  if (plan !== undefined) {
    const next = last && plan.at === null ? new Date(Date.parse(last.startedAt) + period).toISOString() : undefined;
    const due = next === undefined || Date.parse(next) <= now ? words.soon : <Ago key="next" at={next} />;
    const byClock = last !== undefined && plan.at !== null && failed.length === 0;
    facts.push([words.next, running ? words.running : byClock ? words.daily(plan.at ?? '') : due]);
  }
  const faults = last?.result?.faults ?? 0;
  return (
    <>
      {late && (
        <Notice tone="bad" title={words.late}>
          <p>{words.lateWhat}</p>
        </Notice>
      )}
      {failed[0] !== undefined && (
        <Notice tone="bad" title={words.failed(failed.length)}>
          <p className="break-words">{failed[0].error}</p>
          {plan !== undefined && <p>{words.failedWhat}</p>}
        </Notice>
      )}
      {faults > 0 && (
        <Notice tone="bad" title={words.faults(faults)}>
          <p>{words.faultsWhat}</p>
        </Notice>
      )}
      <Card>
        <Facts facts={facts} />
      </Card>
    </>
  );
}
