import { OciError } from './errors.ts';

/** Bytes `start` to `end`, both inclusive, counted from 0. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * A `Range` header (RFC 9110 §14.2) for a body of `size` bytes: closed, open-ended or suffix. Several ranges, another
 * unit or a malformed header are ignored, as the RFC allows, and give undefined: the whole body.
 *
 * @throws OciError RANGE_NOT_SATISFIABLE (416) when no byte of the range exists
 */
export function parseRange(header: string | null, size: number): ByteRange | undefined {
  if (header === null) return undefined;
  const match = /^bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))$/.exec(header.trim());
  if (match === null) return undefined;
  const unsatisfiable = () =>
    new OciError('RANGE_NOT_SATISFIABLE', `range: ${header} has no byte of a body of ${size} bytes`, {
      range: header,
      size,
    });
  if (match[3] !== undefined) {
    const length = Math.min(Number(match[3]), size);
    if (length === 0) throw unsatisfiable();
    return { start: size - length, end: size - 1 };
  }
  const start = Number(match[1]);
  const last = match[2] ? Number(match[2]) : size - 1;
  if (match[2] && last < start) return undefined;
  if (start >= size) throw unsatisfiable();
  return { start, end: Math.min(last, size - 1) };
}

/**
 * The `Content-Range` of a chunk: OCI Distribution 1.1 "Pushing a blob in chunks", `<start>-<end>`, inclusive. Docker's
 * older form `bytes <start>-<end>/<size>` is taken too.
 *
 * @throws OciError BLOB_UPLOAD_INVALID when the header has another form
 */
export function parseContentRange(header: string | null): ByteRange | undefined {
  if (header === null) return undefined;
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(header.trim());
  const start = Number(match?.[1]);
  const end = Number(match?.[2]);
  if (match === null || end < start) {
    throw new OciError(
      'BLOB_UPLOAD_INVALID',
      `content-range: ${JSON.stringify(header.slice(0, 100))} is not <start>-<end>`,
      {
        contentRange: header.slice(0, 100),
      },
    );
  }
  return { start, end };
}
