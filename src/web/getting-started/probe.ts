import { receivedBody } from '../../api/administration.ts';
import type { BodyOutcome, V2Answer } from '../../doctor/address.ts';

/*
 * Requests as clients of the registry send them. They go around `server.ts`: what a proxy makes of them is what is asked for here, and
 * no sign that the server was lost.
 */

/** Without the cookie of the session, as Docker asks. */
export async function askV2(): Promise<V2Answer> {
  try {
    const response = await fetch('/v2/', { credentials: 'omit', redirect: 'manual', cache: 'no-store' });
    if (response.type === 'opaqueredirect') return { kind: 'redirect' };
    return {
      kind: 'answer',
      status: response.status,
      challenge: response.headers.get('www-authenticate'),
      version: response.headers.get('docker-distribution-api-version'),
    };
  } catch {
    return { kind: 'failed' };
  }
}

const PIECE_BYTES = 1024 * 1024;
const MOST_MS = 900_000;

/**
 * Sends so many bytes, which the server counts and throws away.
 *
 * @param onSent called with how many are on their way
 * @returns undefined when `signal` ended it
 */
export function sendTrial(
  bytes: number,
  onSent: (sent: number) => void,
  signal: AbortSignal,
): Promise<BodyOutcome | undefined> {
  return new Promise((resolve) => {
    // fetch does not tell how much has been sent.
    const request = new XMLHttpRequest();
    request.open('POST', '/api/v1/address-check/body');
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.timeout = MOST_MS;
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onload = () => {
      const { status } = request;
      if (status === 200 && arrived(request.responseText) === bytes) resolve({ kind: 'arrived' });
      else resolve({ kind: 'status', status, server: request.getResponseHeader('server') });
    };
    request.onerror = () => resolve({ kind: 'cut' });
    request.ontimeout = () => resolve({ kind: 'slow' });
    request.onabort = () => resolve(undefined);
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(trial(bytes));
  });
}

/** One piece in memory, named as often as it takes. */
function trial(bytes: number): Blob {
  const piece = new Blob([new Uint8Array(PIECE_BYTES)]);
  const whole = Array.from({ length: Math.floor(bytes / PIECE_BYTES) }, () => piece);
  return new Blob([...whole, piece.slice(0, bytes % PIECE_BYTES)]);
}

function arrived(text: string): number | undefined {
  try {
    return receivedBody.safeParse(JSON.parse(text)).data?.bytes;
  } catch {
    return undefined;
  }
}
