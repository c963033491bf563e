import { createHash, randomBytes } from 'node:crypto';
import { proxyLines } from './proxies.ts';
import { quotaRefusal } from './quota-refusal.ts';
import { type Check, failed, ok, skipped, warning } from './result.ts';
import type { TrialUploads } from './upload-checks.ts';
import { type Answer, answered, textOf, type Wire } from './wire.ts';

/** Easily compressed, and of a digest that no other blob has. */
function trialBlob(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(64 * 1024);
  bytes.set(randomBytes(16));
  return bytes;
}

/** Pushes a small blob, reads it in each way that clients do, and takes it away again. */
export async function checkBlob(uploads: TrialUploads): Promise<Check[]> {
  const { wire, repository } = uploads;
  const bytes = trialBlob();
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const { path, check } = await uploads.begin();
  if (path === undefined) return [check];
  const put = await wire.ask('PUT', `${path}${path.includes('?') ? '&' : '?'}digest=${digest}`, {
    headers: { 'Content-Type': 'application/octet-stream' },
    body: bytes,
  });
  const full = answered(put) ? quotaRefusal(put) : undefined;
  if (full !== undefined) return [skipped('digest', `there is no room for a trial: ${full}`)];
  if (!answered(put) || put.status !== 201) {
    const how = answered(put) ? `status ${put.status}, ${textOf(put.bytes).trim().slice(0, 200)}` : put.message;
    return [
      failed(
        'digest',
        `a push of a small blob was not taken (${how}). If the path or the query is changed on the way, let them pass as they are`,
      ),
    ];
  }
  uploads.ended(path);
  const blob = `/v2/${repository}/blobs/${digest}`;
  const whole = await wire.ask('GET', blob, { headers: { 'Accept-Encoding': 'gzip, zstd, deflate, br' } });
  const head = await wire.ask('HEAD', blob);
  const checks =
    answered(whole) && answered(head)
      ? [...judgeRead(wire, { whole, head, digest, bytes }), await checkRange(wire, blob, bytes)]
      : [failed('digest', 'what was pushed can not be read back')];
  return [...checks, ...(await removeBlob(wire, blob, repository))];
}

function judgeRead(
  wire: Wire,
  { whole, head, digest, bytes }: { whole: Answer; head: Answer; digest: string; bytes: Uint8Array },
): Check[] {
  const encoding = whole.headers.get('content-encoding');
  const compression =
    encoding === null || encoding === 'identity'
      ? ok('compression', 'blobs come as they are stored')
      : failed(
          'compression',
          `blobs are compressed on the way (Content-Encoding: ${encoding}): their length is lost, and clients can not resume. Leave them as they are:`,
          proxyLines('compression', wire.proxy),
        );
  const gone: string[] = [];
  if (head.headers.get('docker-content-digest') !== digest) gone.push('Docker-Content-Digest');
  if (head.headers.get('content-length') !== String(bytes.byteLength)) gone.push('Content-Length of HEAD');
  // Distribution's registry has none for a blob that it passes on.
  if (head.headers.get('etag')?.includes(digest) === false) gone.push('ETag');
  if ((encoding ?? 'identity') === 'identity' && !Buffer.from(bytes).equals(whole.bytes))
    gone.push('the bytes themselves');
  const kept =
    gone.length === 0
      ? ok('digest', 'what was pushed comes back, with its digest, length and ETag')
      : failed(
          'digest',
          `changed on the way: ${gone.join(', ')}. Let headers and bytes pass as they are`,
          proxyLines('compression', wire.proxy),
        );
  return [kept, compression];
}

async function checkRange(wire: Wire, blob: string, bytes: Uint8Array): Promise<Check> {
  const part = await wire.ask('GET', blob, { headers: { Range: 'bytes=4-7' } });
  if (answered(part) && part.status === 206 && Buffer.from(bytes.subarray(4, 8)).equals(part.bytes)) {
    return ok('range', 'a part of a blob can be asked for');
  }
  const how = answered(part)
    ? `status ${part.status} with ${part.bytes.byteLength} bytes instead of 206 with 4`
    : part.message;
  return failed(
    'range',
    `Range is not heeded (${how}): pulls that break begin anew. Pass it on:`,
    proxyLines('range', wire.proxy),
  );
}

async function removeBlob(wire: Wire, blob: string, repository: string): Promise<Check[]> {
  const removed = await wire.ask('DELETE', blob);
  if (answered(removed) && (removed.status === 202 || removed.status === 404)) return [];
  return [
    warning(
      'left behind',
      `a blob of 64 KiB in ${repository}, which this credential may not delete; the next garbage collection takes it, as nothing names it`,
    ),
  ];
}
