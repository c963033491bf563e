import type { TlsMaterial } from '../tls/tls-material.ts';

const DAY_MS = 86_400_000;
/** Authorities that renew by themselves do it well before. */
const SOON_MS = 14 * DAY_MS;

/** Warns of a certificate that ends soon or has ended: now, and once a day. @returns ends it */
export function watchExpiry(
  material: () => TlsMaterial | undefined,
  log: { warn(fields: object, message: string): void },
): () => void {
  const look = () => {
    const { notAfter, names } = material() ?? {};
    if (notAfter === undefined) return;
    const leftMs = notAfter - Date.now();
    if (leftMs >= SOON_MS) return;
    const fields = { names, notAfter: new Date(notAfter).toISOString() };
    if (leftMs <= 0) log.warn(fields, 'the certificate has expired: clients refuse it; put a new one in its place');
    else
      log.warn(
        { ...fields, days: Math.floor(leftMs / DAY_MS) },
        'the certificate expires soon; put a new one in its place',
      );
  };
  look();
  const timer = setInterval(look, DAY_MS);
  return () => clearInterval(timer);
}
