import { z } from 'zod';
import { pageOf, pageQuery, time } from './page.ts';

export const auditLine = z.object({
  id: z.string(),
  at: time,
  actor: z.string().describe('`alice`, `acme+ci`, `anonymous` or `command line`'),
  source: z.string().describe("the client's address"),
  action: z.string(),
  subject: z.string(),
  outcome: z.enum(['done', 'refused']),
  detail: z.record(z.string(), z.unknown()).nullable(),
});
export type AuditLineInfo = z.infer<typeof auditLine>;
export const auditPage = pageOf('lines', auditLine);

const moment = z.iso.datetime({ offset: true, error: 'not a time as in 2027-01-31T00:00:00Z' });

export const auditFilter = z.object({
  actor: z.string().optional(),
  action: z.string().optional().describe('one action, or a group as in `token.*`'),
  subject: z.string().optional().describe('`alice/app` also takes its tags, `alice` also her repositories'),
  outcome: z.enum(['done', 'refused']).optional(),
  since: moment.optional(),
  until: moment.optional(),
});
export const auditQuery = auditFilter.extend(pageQuery.shape);
