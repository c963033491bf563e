import { describeEvent } from '../description.ts';
import { PING } from '../kinds.ts';
import { referenceOf } from '../recording.ts';
import type { Shape } from './shape.ts';

/** Berth's own, as Standard Webhooks advises: `type`, `timestamp`, `data`. It has every kind. */
export const BERTH_SHAPE: Shape = {
  name: 'berth',
  contentType: 'application/json',
  takes: () => true,
  body: (event, { webhook, base }) => {
    const timestamp = new Date(event.at).toISOString();
    if (event.kind === PING) return { type: PING, timestamp, data: { webhook } };
    const { tag, digest } = referenceOf(event);
    const reference = tag === null ? (digest === null ? undefined : `@${digest}`) : `:${tag}`;
    const { host } = new URL(base);
    return {
      type: event.kind,
      timestamp,
      data: {
        event: String(event.seq),
        actor: event.actor,
        ...describeEvent(event),
        ...(event.repository === null || reference === undefined
          ? {}
          : { image: `${host}/${event.repository}${reference}` }),
      },
    };
  },
};
