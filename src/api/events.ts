import { z } from 'zod';
import { pageOf, pageQuery, time } from './page.ts';

export const eventInfo = z.object({
  id: z.string().describe('goes on from here as `last`, or as Last-Event-ID'),
  at: time,
  kind: z.string(),
  actor: z.string(),
  subject: z.string().describe('`alice/app:1.0`, `alice/app@sha256:…`, `alice/shop#3`, `alice/shop@test/v7`'),
  repository: z.string().nullable(),
  stack: z.string().nullable(),
  data: z.record(z.string(), z.unknown()).describe('the parts of the subject, and what else is known'),
});
export type EventInfo = z.infer<typeof eventInfo>;
export const eventPage = pageOf('events', eventInfo);

export const eventFilter = z.object({
  repository: z.string().optional(),
  namespace: z.string().optional(),
  stack: z.string().optional().describe('as in `alice/shop`'),
  kind: z.string().optional().describe('kinds or groups as in `tag.*`, comma-separated'),
  since: z.iso.datetime({ offset: true, error: 'not a time as in 2027-01-31T00:00:00Z' }).optional(),
});
export const eventOrder = z.enum(['oldest', 'newest']);
export const eventQuery = eventFilter.extend(pageQuery.shape).extend({
  order: eventOrder.optional().describe('which come first; default: oldest'),
});
export const eventStreamQuery = eventFilter.extend({
  last: z.string().optional().describe('go on after this event; default: what happens from now on'),
});
