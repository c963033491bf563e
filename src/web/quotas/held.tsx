import { useQuery } from '@tanstack/react-query';
import type { NamespaceUsageInfo } from '../../api/quotas.ts';
import { Badge } from '../kit/badge.tsx';
import { formatBytes } from '../kit/figures.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { quotaWords } from './quota-words.ts';

/** What a namespace holds of what it may hold, for its owner. Nothing until that is known. */
export function Held({ namespace }: { namespace: string }) {
  const words = useWords(quotaWords);
  const { data } = useQuery({
    queryKey: ['quotas', 'usage', namespace],
    queryFn: () => server.quotas.usage(namespace),
  });
  if (data === undefined) return null;
  const { used, quota } = data;
  return (
    <div className="mb-5 grid max-w-md gap-1.5">
      <p className="flex flex-wrap items-center gap-2">
        {quota === null ? words.holdsOnly(formatBytes(used)) : words.holdsOf(formatBytes(used), formatBytes(quota))}
        <Full usage={data} />
      </p>
      <UsageBar usage={data} />
      {isFull(data) && <p className="text-sm text-muted">{words.fullWhat}</p>}
    </div>
  );
}

export function isFull({ used, quota }: NamespaceUsageInfo): boolean {
  return quota !== null && used >= quota;
}

export function Full({ usage }: { usage: NamespaceUsageInfo }) {
  const words = useWords(quotaWords);
  return isFull(usage) ? <Badge tone="bad">{words.full}</Badge> : null;
}

/** Nothing where there is no limit. What it shows is said beside it. */
export function UsageBar({ usage }: { usage: NamespaceUsageInfo }) {
  const { used, quota } = usage;
  if (quota === null) return null;
  const percent = isFull(usage) ? 100 : (used / quota) * 100;
  return (
    <div className="h-2.5 w-full min-w-24 overflow-hidden rounded-full border border-edge bg-sunken" aria-hidden="true">
      <div
        className={isFull(usage) ? 'h-full bg-bad-strong' : 'h-full bg-accent-strong'}
        style={{ width: `${percent}%` }}
      />
    </div>
  );
}
