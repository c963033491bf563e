import type { z } from 'zod';
import { OciError } from '../oci/errors.ts';
import type { BerthRequest } from './request.ts';

/** @throws OciError BODY_INVALID when it is larger, or not UTF-8 */
export async function readText(request: BerthRequest, mostBytes: number): Promise<string> {
  let size = 0;
  const pieces: Uint8Array[] = [];
  for await (const piece of request.raw.body ?? []) {
    size += piece.byteLength;
    if (size > mostBytes) throw new OciError('BODY_INVALID', `body: larger than ${mostBytes} bytes`);
    pieces.push(piece);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces));
  } catch {
    throw new OciError('BODY_INVALID', 'body: not UTF-8');
  }
}

/** The escape of NUL; the same characters after an escaped backslash are text. */
const NUL = /(?<!\\)(?:\\\\)*\\u0000/i;

/** A JSON body; an empty one is `{}`. @throws OciError BODY_INVALID with the field that is wrong */
export async function readJson<T>(request: BerthRequest, schema: z.ZodType<T>, mostBytes: number): Promise<T> {
  const text = await readText(request, mostBytes);
  let value: unknown;
  try {
    value = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new OciError('BODY_INVALID', 'body: not JSON');
  }
  // PostgreSQL takes no NUL in a text.
  if (NUL.test(text)) throw new OciError('BODY_INVALID', 'body: holds a NUL character');
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new OciError('BODY_INVALID', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}
