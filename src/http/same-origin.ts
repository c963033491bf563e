import { OciError } from '../oci/errors.ts';
import type { BerthRequest } from './request.ts';

/**
 * Refuses what a browser sends for a page of another site. Browsers attach cookies, remembered Basic credentials and the visitor's
 * place in the network by themselves, so it holds for every request that changes something, whatever it is identified by.
 * Programs send neither header.
 *
 * @throws OciError DENIED
 */
export function requireSameOrigin(request: BerthRequest): void {
  const { method } = request.raw;
  if (method === 'GET' || method === 'HEAD') return;
  const site = request.header('sec-fetch-site');
  const origin = request.header('origin');
  if (site !== null && site !== 'same-origin' && site !== 'none') refuse(origin);
  if (origin === null) return;
  if (!URL.canParse(origin) || new URL(origin).host !== new URL(request.base).host) refuse(origin);
}

function refuse(origin: string | null): never {
  throw new OciError(
    'DENIED',
    `origin: this request was sent for another site (${(origin ?? 'unknown').slice(0, 100)})`,
  );
}
