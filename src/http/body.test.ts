import { expect, test } from 'bun:test';
import { z } from 'zod';
import { readJson } from './body.ts';
import type { BerthRequest } from './request.ts';

const read = (text: string) => {
  const raw = new Request('http://localhost/', { method: 'POST', body: text });
  return readJson({ raw } as BerthRequest, z.object({ log: z.string() }), 1_000);
};

test('a NUL in a JSON body is refused; a text that speaks of one is not', async () => {
  for (const log of ['a\0', '\\\0', '\0']) {
    await expect(read(JSON.stringify({ log }))).rejects.toThrow('holds a NUL character');
  }
  for (const log of ['\\u0000', 'a\\\\u0000', '{"text":"\\u0000"}']) {
    expect(await read(JSON.stringify({ log }))).toEqual({ log });
  }
});
