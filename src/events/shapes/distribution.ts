import type { BerthEvent } from '../context.ts';
import { PING } from '../kinds.ts';
import { referenceOf } from '../recording.ts';
import type { Shape } from './shape.ts';

/** A tag that is moved back or on is to the field the push of what it then names. */
const ACTIONS: Readonly<Record<string, 'push' | 'pull' | 'mount' | 'delete'>> = {
  'tag.push': 'push',
  'tag.rollback': 'push',
  'tag.promote': 'push',
  'manifest.push': 'push',
  'manifest.pull': 'pull',
  'blob.mount': 'mount',
  'tag.delete': 'delete',
  'manifest.delete': 'delete',
  'blob.delete': 'delete',
};

/** The envelope of CNCF Distribution ("Work with notifications"); of the fields that it leaves out when they are empty so does this. */
export const DISTRIBUTION_SHAPE: Shape = {
  name: 'distribution',
  contentType: 'application/vnd.docker.distribution.events.v2+json',
  takes: (kind) => kind === PING || ACTIONS[kind] !== undefined,
  body: (event, { id, base, process }) => {
    const action = ACTIONS[event.kind];
    // An envelope without events is one that every receiver takes.
    if (action === undefined) return { events: [] };
    const { request } = event;
    return {
      events: [
        {
          id,
          timestamp: new Date(event.at).toISOString(),
          action,
          target: targetOf(event, action, base),
          request: {
            id: request?.id ?? '',
            ...(event.source === '' ? {} : { addr: event.source }),
            ...(request === null ? {} : { host: request.host }),
            method: request?.method ?? '',
            useragent: request?.userAgent ?? '',
          },
          actor: { name: event.actor },
          source: { addr: new URL(base).host, instanceID: process },
        },
      ],
    };
  },
};

function targetOf(event: BerthEvent, action: string, base: string): Record<string, unknown> {
  const { repository, detail } = event;
  const { tag, digest: named } = referenceOf(event);
  // What a tag that was deleted named is not deleted with it: its event has the tag alone, as Distribution's has.
  const digest = named ?? (action === 'delete' ? null : detail.digest);
  const { mediaType, size, from } = detail;
  const kind = event.kind.startsWith('blob.') ? 'blobs' : 'manifests';
  return {
    ...(typeof mediaType === 'string' ? { mediaType } : {}),
    ...(typeof digest === 'string' ? { digest } : {}),
    ...(typeof size === 'number' ? { size, length: size } : {}),
    repository,
    ...(typeof from === 'string' ? { fromRepository: from } : {}),
    ...(typeof digest === 'string' && action !== 'delete' ? { url: `${base}/v2/${repository}/${kind}/${digest}` } : {}),
    ...(tag === null ? {} : { tag }),
  };
}
