import { z } from 'zod';

/** RFC 3339, UTC. */
export const time = z.iso.datetime();

/** The parameters of every list. */
export const pageQuery = z.object({
  n: z.string().optional().describe('how many entries at most: 1 to 1000; 100 without it'),
  last: z.string().optional().describe('`next` of the page before'),
});

/** A page of a list. */
export function pageOf<Name extends string, Entry extends z.ZodType>(name: Name, entry: Entry) {
  return z.object({
    ...({ [name]: z.array(entry) } as Record<Name, z.ZodArray<Entry>>),
    next: z.string().nullable().describe('the cursor for `last`; null at the end'),
  });
}
