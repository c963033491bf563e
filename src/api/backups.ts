import { z } from 'zod';
import { time } from './page.ts';

export const backupRun = z.object({
  id: z.string(),
  target: z.string().describe('the folder, or `s3://bucket/prefix/`'),
  startedBy: z.string().describe('`schedule` for one that serve made by itself, or `command line`'),
  state: z.enum(['running', 'done', 'failed']),
  startedAt: time,
  finishedAt: time.nullable(),
  error: z.string().nullable(),
  result: z
    .object({
      backup: z.string().describe('its id in the target'),
      blobs: z.number().int(),
      bytes: z.number().int().describe('of the blobs in it'),
      copied: z.number().int().describe('blobs that the target did not have'),
      copiedBytes: z.number().int(),
      faults: z.number().int().describe('blobs that it is without, since the registry has lost them'),
    })
    .nullable(),
});
export type BackupRunInfo = z.infer<typeof backupRun>;
export const backupRunList = z.object({ runs: z.array(backupRun) });
