import { isIP } from 'node:net';
import { type TlsMaterial, tlsMaterial } from '../tls-material.ts';

const VALID_MS = 30 * 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A certificate that nobody signed but itself, for the time in which there is no other. */
export async function standIn(domains: readonly string[], now: number): Promise<TlsMaterial> {
  // Loaded only when it is needed: most starts have a certificate.
  const x509 = await import('@peculiar/x509');
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Berth stand-in',
    // A skewed clock is not the reason why it is refused.
    notBefore: new Date(now - 3_600_000),
    notAfter: new Date(now + VALID_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.SubjectAlternativeNameExtension(
        domains.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
    ],
  });
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const pem = `-----BEGIN PRIVATE KEY-----\n${(key.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`;
  return tlsMaterial(certificate.toString('pem'), pem);
}
