import { OciError } from '../oci/errors.ts';
import type { ImportFault, ImportResult } from './import-report.ts';
import { importImages } from './importer.ts';
import { MirrorSource } from './mirror-source.ts';
import type { Mirror, MirrorReport } from './mirrors.ts';
import { MIRROR_ACTOR, type MirroringContext } from './mirrors-context.ts';
import { RegistrySource } from './registry-source.ts';
import { Throttle } from './throttle.ts';
import type { UpstreamClients } from './upstream-clients.ts';
import { UpstreamError } from './upstream-error.ts';

export interface MirrorRun {
  outcome: 'done' | 'failed';
  report: MirrorReport;
  /** When the other registry said that it answers again, ms since 1970. */
  retryAt: number | undefined;
}

/** Of each list of a report. */
const MOST_SUBJECTS = 50;

/**
 * Copies what a mirror follows, as an import does: what is there already is skipped, so that a run goes on where one before it was
 * killed. What can't be copied is in the report, not thrown.
 *
 * @throws what ended `signal`
 */
export async function runMirror(
  context: MirroringContext,
  clients: UpstreamClients,
  mirror: Mirror,
  signal: AbortSignal,
): Promise<MirrorRun> {
  try {
    return await copy(context, clients, mirror, signal);
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    return { outcome: 'failed', report: { ...NOTHING, stopped: why.slice(0, 500) }, retryAt: undefined };
  }
}

async function copy(
  context: MirroringContext,
  clients: UpstreamClients,
  mirror: Mirror,
  signal: AbortSignal,
): Promise<MirrorRun> {
  const { registry, policy } = context;
  const { repository, from, tags, bytesPerSecond } = mirror;
  const remote = new RegistrySource(await clients.open(mirror.upstream), {
    named: [{ name: from }],
    matching: undefined,
    tags,
    rename: () => repository,
    signal,
  });
  const throttle = bytesPerSecond === null ? undefined : new Throttle(bytesPerSecond);
  const source = new MirrorSource(registry, remote, throttle, signal);
  const result = await importImages(registry, source, {
    actor: { name: MIRROR_ACTOR, source: source.where },
    jobs: policy.jobs,
    dryRun: false,
    verify: true,
    referrers: mirror.referrers,
    signal,
    stops: concernsAll,
  });
  if (nothingMatched(result, source.kept)) result.stopped = noSuchTag(mirror);
  const good = result.faults.length === 0 && result.stopped === undefined;
  return { outcome: good ? 'done' : 'failed', report: reportOf(result, source.kept), retryAt: result.retryAt };
}

function nothingMatched({ tags, tagsPresent, faults, stopped }: ImportResult, kept: readonly ImportFault[]): boolean {
  return tags + tagsPresent + faults.length + kept.length === 0 && stopped === undefined;
}

function noSuchTag({ upstream, from, tags }: Mirror): string {
  const which = tags.length === 0 ? 'no tags' : `no tag like ${tags.join(', ')}`;
  return `${from} of ${upstream} has ${which}`;
}

/** A full quota, or a log-in that is refused, is so for the next image, too. */
function concernsAll(error: unknown): boolean {
  if (error instanceof UpstreamError) return error.failure.kind === 'unauthorized';
  return error instanceof OciError && error.detail.quota !== undefined;
}

const NOTHING: MirrorReport = {
  tags: 0,
  tagsPresent: 0,
  manifests: 0,
  blobs: 0,
  bytes: 0,
  seconds: 0,
  failed: [],
  kept: [],
  stopped: null,
};

function reportOf(result: ImportResult, kept: ImportFault[]): MirrorReport {
  return {
    tags: result.tags,
    tagsPresent: result.tagsPresent,
    manifests: result.manifests,
    blobs: result.blobs.copied + result.blobs.mounted,
    bytes: result.bytesCopied,
    seconds: result.seconds,
    failed: first(result.faults),
    kept: first(kept),
    stopped: result.stopped ?? null,
  };
}

function first(faults: readonly ImportFault[]): ImportFault[] {
  const shown = faults.slice(0, MOST_SUBJECTS).map(({ subject, why }) => ({ subject, why: why.slice(0, 500) }));
  const more = faults.length - shown.length;
  return more === 0 ? shown : [...shown, { subject: `${more} more`, why: 'not shown here' }];
}
