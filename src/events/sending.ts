import { AddressRefusedError, allowedAddress } from './addresses.ts';
import type { EventsContext } from './context.ts';
import { signatureHeaders } from './signature.ts';

/** What of an answer is kept. */
const RESPONSE_BYTES = 4_096;

export interface Message {
  /** `webhook-id` */
  id: string;
  url: string;
  /** An administrator chose the address. */
  trusted: boolean;
  contentType: string;
  body: string;
  /** The newest first. */
  secrets: readonly string[];
  /** `Authorization` */
  authorization: string | undefined;
}

/** How a request went. */
export interface Attempt {
  at: number;
  durationMs: number;
  /** undefined: no answer. */
  status: number | undefined;
  /** Why it was no success. */
  error: string | undefined;
  /** As sent; what is secret of them is not there. */
  headers: Record<string, string>;
  response: string;
  /** How long the receiver asks to be left alone, in ms. */
  retryAfterMs: number | undefined;
}

/**
 * Sends a message once. The receiver's name is looked up here and the connection goes to the address that was allowed, so that a name that
 * changes between the two leads nowhere else; redirects are not followed. Never throws.
 */
export async function send(context: EventsContext, message: Message): Promise<Attempt> {
  const at = context.now();
  const started = performance.now();
  const { answerWithinMs } = context.policy;
  const headers: Record<string, string> = {
    'Content-Type': message.contentType,
    'User-Agent': 'Berth-Webhook',
    ...signatureHeaders(message.secrets, { id: message.id, seconds: Math.floor(at / 1000), body: message.body }),
  };
  const attempt = (rest: Partial<Attempt>): Attempt => ({
    at,
    durationMs: Math.round(performance.now() - started),
    status: undefined,
    error: undefined,
    headers: message.authorization === undefined ? headers : { ...headers, Authorization: '(set)' },
    response: '',
    retryAfterMs: undefined,
    ...rest,
  });
  const signal = AbortSignal.timeout(answerWithinMs);
  try {
    const target = new URL(message.url);
    const address = await within(signal, allowedAddress(context.addresses, target.hostname, message.trusted));
    const { host, hostname } = target;
    target.hostname = address.includes(':') ? `[${address}]` : address;
    const response = await context.fetch(target, {
      method: 'POST',
      body: message.body,
      redirect: 'manual',
      keepalive: false,
      signal,
      headers: {
        ...headers,
        Host: host,
        ...(message.authorization === undefined ? {} : { Authorization: message.authorization }),
      },
      // The certificate is the name's, not the address's.
      ...(target.protocol === 'https:' ? { tls: { serverName: hostname } } : {}),
    });
    const text = await beginningOf(response, signal);
    const { status } = response;
    const good = status >= 200 && status < 300;
    return attempt({
      status,
      response: text,
      error: good ? undefined : refusal(status),
      retryAfterMs: status === 429 || status === 503 ? retryAfter(response, context.now()) : undefined,
    });
  } catch (error) {
    return attempt({ error: reasonOf(error, answerWithinMs) });
  }
}

function refusal(status: number): string {
  if (status >= 300 && status < 400)
    return `status ${status}: redirects are not followed; give the address they lead to`;
  return `status ${status}`;
}

function reasonOf(error: unknown, answerWithinMs: number): string {
  if (error instanceof AddressRefusedError) return error.message;
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${answerWithinMs / 1000} s`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (/CERT|UNABLE_TO_|SELF_SIGNED/.test(code)) return `its certificate is not trusted (${code.slice(0, 100)})`;
  switch (code) {
    case 'ENOTFOUND':
    case 'DNS_ENOTFOUND':
      return 'its host name has no address (ENOTFOUND)';
    case 'ConnectionRefused':
      return 'nothing listens there (connection refused)';
    case 'ECONNRESET':
    case 'ConnectionClosed':
      return 'the connection was closed without an answer';
    default:
      return `no answer${code === '' ? '' : ` (${code.slice(0, 100)})`}`;
  }
}

/** Rejects with the signal, whatever the promise does. */
function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    work.then(resolve, reject);
  });
}

/** What was answered counts, however its body ends. */
async function beginningOf(response: Response, signal: AbortSignal): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  try {
    while (size < RESPONSE_BYTES) {
      const { done, value } = await within(signal, reader.read());
      if (done) break;
      pieces.push(value);
      size += value.byteLength;
    }
  } catch {
    // The status is known.
  } finally {
    void reader.cancel().catch(() => {});
  }
  // PostgreSQL takes no NUL.
  return Buffer.concat(pieces).subarray(0, RESPONSE_BYTES).toString('utf8').replaceAll('\0', '\ufffd');
}

/** RFC 9110 "Retry-After": seconds, or a date. */
function retryAfter(response: Response, now: number): number | undefined {
  const value = response.headers.get('retry-after');
  if (value === null) return undefined;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined;
}
