import type { Logger } from 'pino';
import { recordEvent } from '../events/recording.ts';
import type { RegistryContext } from '../registry/context.ts';
import type { UpstreamsContext } from '../upstreams/context.ts';
import { leaveMirrorsOf } from '../upstreams/mirror-queue.ts';
import { Mirroring } from '../upstreams/mirroring.ts';
import { MIRROR_ACTOR, MIRROR_POLICY, type MirroringContext } from '../upstreams/mirrors-context.ts';

/** What copies mirrors in a worker. @param ended processes that are known to have ended, whose runs others may take up */
export async function openMirroring({
  registry,
  upstreams,
  log,
  ended,
  ran,
}: {
  registry: RegistryContext;
  upstreams: UpstreamsContext;
  log: Logger;
  ended: string | undefined;
  ran: (outcome: 'done' | 'failed') => void;
}): Promise<Mirroring> {
  const context: MirroringContext = {
    registry,
    upstreams,
    policy: MIRROR_POLICY,
    happened: (tx, { kind, repository }) =>
      recordEvent(tx, registry.now(), { name: MIRROR_ACTOR, source: '' }, { action: kind, subject: repository }),
  };
  if (ended !== undefined) await leaveMirrorsOf(context, ended);
  return new Mirroring(context, {
    onError: (error) => log.warn({ err: error }, 'mirrors could not be looked after'),
    onRun: ({ repository, upstream }, { outcome, report }) => {
      ran(outcome);
      const { tags, bytes, seconds, failed, stopped } = report;
      const level = outcome === 'done' ? 'info' : 'warn';
      const why = stopped ?? failed[0]?.why;
      log[level](
        { repository, upstream, outcome, tags, bytes, seconds, ...(why === undefined ? {} : { why }) },
        'a mirror has run',
      );
    },
  });
}
