import { createHmac, randomBytes } from 'node:crypto';

/*
 * Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`, which is `v1,` and the base64 of HMAC-SHA256
 * over `id.timestamp.body`; several, separated by spaces, while a secret is replaced.
 */

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;

export function newSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

/** Whether it is `whsec_` and the base64 of 24 to 64 bytes, as the specification asks. */
export function isSecret(text: string): boolean {
  if (!text.startsWith(PREFIX)) return false;
  const encoded = text.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.length >= 24 && bytes.length <= 64 && bytes.toString('base64') === encoded;
}

/** @param secrets the newest first */
export function signatureHeaders(
  secrets: readonly string[],
  message: { id: string; seconds: number; body: string },
): Record<string, string> {
  const { id, seconds, body } = message;
  const signed = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`, 'utf8').digest('base64')}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signed.join(' ') };
}
