import type { TlsMaterial } from './tls-material.ts';

/** Where a server's certificate comes from: files, or the database that ACME writes. */
export interface CertificateSource {
  /**
   * The certificate to serve now; undefined when there is none yet. Reads anew at each call.
   *
   * @throws CertificateError when there is one that can't be used
   */
  current(): Promise<TlsMaterial | undefined>;
  /**
   * Tells of each certificate that differs (by `fingerprint`) from the one before: the first call is made for the first
   * one that differs from what `current` answered last, if that was asked. What can't be used is not told, and is tried again.
   *
   * @returns ends the watching; idempotent
   */
  watch(onChange: (material: TlsMaterial) => void): () => void;
}
