import { z } from 'zod';
import { time } from './page.ts';

export const certificateInfo = z.object({
  source: z.enum(['none', 'files', 'authority']).describe('`none`: the port speaks plain HTTP'),
  served: z
    .object({
      names: z.array(z.string()),
      issuer: z.string(),
      notBefore: time,
      notAfter: time,
      standIn: z.boolean().describe('signed by itself, until the authority has given one'),
    })
    .nullable()
    .describe('by the process that answers; another one follows within seconds'),
  authority: z
    .object({
      directory: z.string(),
      names: z.array(z.string()).describe('that are asked for'),
      nextOrderAt: time.describe('when another certificate is ordered'),
      failure: z
        .object({ reason: z.string(), count: z.number().int().describe('in a row'), failedAt: time })
        .nullable()
        .describe('the last order, when it failed'),
    })
    .nullable(),
});
export type CertificateInfo = z.infer<typeof certificateInfo>;
