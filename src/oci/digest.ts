import { OciError } from './errors.ts';

declare const brand: unique symbol;

/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case: OCI Image 1.1 "Digests". Made by {@link parseDigest} alone. */
export type Digest = string & { readonly [brand]: 'Digest' };

export const DIGEST_ALGORITHMS = ['sha256', 'sha512'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

const REGISTERED = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;

export function isDigest(text: string): text is Digest {
  return REGISTERED.test(text);
}

/** @throws OciError DIGEST_INVALID when `text` is no digest of a supported algorithm; `field` names where it stood. */
export function parseDigest(text: string, field = 'digest'): Digest {
  if (isDigest(text)) return text;
  throw new OciError('DIGEST_INVALID', `${field}: not a sha256 or sha512 digest: ${JSON.stringify(clip(text))}`, {
    [field]: clip(text),
  });
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** The part after the colon: 64 or 128 hex characters. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** Hash of bytes that are in memory. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return parseDigest(`${algorithm}:${new Bun.CryptoHasher(algorithm).update(bytes).digest('hex')}`);
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
