import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { CircleAlert, CircleCheck, CircleX, LoaderCircle } from 'lucide-react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import {
  type Finding,
  judgeAddress,
  judgeBody,
  judgeV2,
  linesOf,
  type Verdict,
  verdictOf,
} from '../../doctor/address.ts';
import { said } from '../../doctor/sentences.ts';
import { Button } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { FormProblem } from '../kit/form.tsx';
import { Section } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { useUser } from '../session.tsx';
import { addressWords } from './address-words.ts';
import { askV2, sendTrial } from './probe.ts';

const MIB = 1024 * 1024;
/** More than nginx lets through by itself. */
const SMALL_BYTES = 2 * MIB;
/** More than Cloudflare does. */
const LARGE_BYTES = 200 * MIB;

const KEY = ['address-check'] as const;
/** It is as it was when the page was opened, until it is asked for again. */
const ONCE = { staleTime: Number.POSITIVE_INFINITY, refetchOnWindowFocus: false, refetchOnReconnect: false } as const;

/** Asks the registry through the address that the page was opened under, and says what to change in front of it. */
export function AddressCheck() {
  const words = useWords(addressWords);
  const user = useUser();
  const address = useQuery({
    queryKey: [...KEY, 'base'],
    queryFn: () => server.administration.checkAddress(),
    ...ONCE,
  });
  const v2 = useQuery({ queryKey: [...KEY, 'v2'], queryFn: askV2, ...ONCE });
  const small = useQuery({
    queryKey: [...KEY, 'body', user?.username],
    queryFn: async ({ signal }) => (await sendTrial(SMALL_BYTES, () => {}, signal)) ?? null,
    enabled: user != null,
    ...ONCE,
  });
  const checking = address.isFetching || v2.isFetching || small.isFetching;
  return (
    <Section
      title={words.title}
      description={words.what}
      actions={
        <Button busy={checking} onClick={() => void queries.invalidateQueries({ queryKey: KEY })}>
          {words.again}
        </Button>
      }
    >
      <ul className="grid gap-px overflow-hidden rounded-lg border border-line bg-line">
        <Part name={words.parts.address}>
          {address.data === undefined ? (
            address.error === null ? (
              <Waiting />
            ) : (
              <FormProblem problem={address.error} />
            )
          ) : (
            <Findings findings={judgeAddress(location, address.data)} />
          )}
        </Part>
        <Part name={words.parts.login}>
          {v2.data === undefined ? <Waiting /> : <Findings findings={judgeV2(location, v2.data)} />}
        </Part>
        <Part name={words.parts.body}>
          {user === null && (
            <p className="min-h-6">
              {words.logInFor}{' '}
              <Link to="/login" search={{ next: '/getting-started' }} className="text-accent underline">
                {words.logIn}
              </Link>
            </p>
          )}
          {user === undefined && <Waiting />}
          {user != null && (
            <>
              {small.data == null ? <Waiting /> : <Findings findings={[judgeBody(SMALL_BYTES, small.data)]} />}
              {small.data?.kind === 'arrived' && <LargeBody />}
            </>
          )}
        </Part>
      </ul>
    </Section>
  );
}

function Part({ name, children }: { name: string; children: ReactNode }) {
  return (
    <li className="grid gap-x-4 gap-y-2 bg-surface px-4 py-3 sm:grid-cols-[10rem_minmax(0,1fr)]">
      <span className="font-medium">{name}</span>
      <div className="grid min-w-0 gap-3" aria-live="polite">
        {children}
      </div>
    </li>
  );
}

function Waiting() {
  const words = useWords(addressWords);
  return (
    <p className="flex min-h-6 items-center gap-2 text-muted">
      <LoaderCircle className="size-5 shrink-0 animate-spin" aria-hidden="true" />
      {words.checking}
    </p>
  );
}

const SIGNS = { ok: CircleCheck, warn: CircleAlert, bad: CircleX } as const;
const TONES: Record<Verdict, string> = { ok: 'text-good', warn: 'text-warn', bad: 'text-bad' };

function Findings({ findings }: { findings: readonly Finding[] }) {
  const words = useWords(addressWords);
  return findings.map((finding) => {
    const verdict = verdictOf(finding);
    const Sign = SIGNS[verdict];
    return (
      <div key={finding.kind} className="grid gap-2">
        <div className="flex items-start gap-2">
          <Sign className={`mt-0.5 size-5 shrink-0 ${TONES[verdict]}`} aria-hidden="true" />
          <p className="min-w-0 break-words">
            <strong className={`font-semibold ${TONES[verdict]}`}>{words.verdicts[verdict]}.</strong>{' '}
            {said(words.findings, finding)}
          </p>
        </div>
        {linesOf(finding).map(({ where, code }) => (
          <div key={where} className="grid min-w-0 gap-1 pl-7">
            <span className="text-sm text-muted">{words.write(where)}</span>
            <CodeBlock label={words.write(where)} code={code} />
          </div>
        ))}
      </div>
    );
  });
}

/** Only when it is asked for: it takes time, and bytes. */
function LargeBody() {
  const words = useWords(addressWords);
  const [state, setState] = useState<{ sent: number } | { finding: Finding }>();
  const sending = useRef<AbortController>(null);
  useEffect(() => () => sending.current?.abort(), []);
  const send = async () => {
    const stop = new AbortController();
    sending.current = stop;
    setState({ sent: 0 });
    const outcome = await sendTrial(LARGE_BYTES, (sent) => setState({ sent }), stop.signal);
    setState(outcome === undefined ? undefined : { finding: judgeBody(LARGE_BYTES, outcome) });
  };
  if (state !== undefined && 'sent' in state) {
    return (
      <div className="flex flex-wrap items-center gap-3">
        <progress
          aria-label={words.sending}
          max={LARGE_BYTES}
          value={state.sent}
          className="h-2 w-40 accent-accent-strong"
        />
        <span className="tabular-nums">{words.sent(state.sent, LARGE_BYTES)}</span>
        <Button small onClick={() => sending.current?.abort()}>
          {words.stop}
        </Button>
      </div>
    );
  }
  return (
    <>
      {state !== undefined && <Findings findings={[state.finding]} />}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Button small onClick={() => void send()}>
          {words.large}
        </Button>
        <span className="text-sm text-muted">{words.largeWhat}</span>
      </div>
    </>
  );
}
