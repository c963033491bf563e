import { BackupError, RUNNING } from './format.ts';
import { type BackupTarget, putText, readText } from './target.ts';

/** Who is not seen for so long has died. Long, since the clocks of two machines may differ. */
const HOLD_MS = 10 * 60_000;
const RENEW_MS = 30_000;
const WAIT_MS = 2_000;

type Kind = 'backup' | 'prune';

export interface Running {
  /** Whether others have seen this one all the time since it began. */
  unbroken(): boolean;
  end(): Promise<void>;
}

/**
 * Says in the target that a backup or a prune is under way there, until `end`. Backups go beside each other; a prune goes alone, since it
 * would take blobs that a backup found there and did not copy. Both say so first and look for others then: of two that begin together at
 * least one sees the other.
 *
 * @param onWait a backup waits for a prune to end
 * @throws BackupError for a prune while a backup runs, or another prune
 */
export async function beginRunning(
  target: BackupTarget,
  kind: Kind,
  now: () => number,
  onWait: () => void = () => {},
): Promise<Running> {
  const key = `${RUNNING}${kind}-${crypto.randomUUID()}.json`;
  let seenUntil = 0;
  let unbroken = true;
  const say = async () => {
    const at = now();
    if (seenUntil > 0 && at > seenUntil) unbroken = false;
    await putText(target, key, `${JSON.stringify({ kind, until: at + HOLD_MS })}\n`);
    seenUntil = at + HOLD_MS;
  };
  await say();
  const timer = setInterval(() => void say().catch(() => {}), RENEW_MS);
  const end = async () => {
    clearInterval(timer);
    await target.remove(key);
  };
  try {
    for (let others = await othersOf(target, key, now()); others.length > 0; ) {
      if (kind === 'prune') {
        throw new BackupError(
          `${target.name}: a ${others[0]} is running there; try again when it is over (one that was killed is passed over after 10 minutes)`,
        );
      }
      if (!others.includes('prune')) break;
      onWait();
      await Bun.sleep(WAIT_MS);
      others = await othersOf(target, key, now());
    }
  } catch (error) {
    await end().catch(() => {});
    throw error;
  }
  return { unbroken: () => unbroken && now() < seenUntil, end };
}

async function othersOf(target: BackupTarget, own: string, now: number): Promise<Kind[]> {
  const kinds: Kind[] = [];
  for await (const { key } of target.list(RUNNING)) {
    if (key === own) continue;
    const until = await untilOf(target, key);
    if (until > now) kinds.push(key.startsWith(`${RUNNING}prune-`) ? 'prune' : 'backup');
    else await target.remove(key);
  }
  return kinds;
}

/** 0 for one that has gone since it was listed. */
async function untilOf(target: BackupTarget, key: string): Promise<number> {
  if ((await target.read(key)) === undefined) return 0;
  try {
    const value: unknown = JSON.parse(await readText(target, key));
    return typeof value === 'object' && value !== null && 'until' in value ? Number(value.until) : 0;
  } catch (error) {
    if (error instanceof BackupError && error.cause === undefined) return 0;
    if (error instanceof SyntaxError) return 0;
    throw error;
  }
}
