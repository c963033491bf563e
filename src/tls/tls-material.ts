import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';

/** A certificate or key that can't be used. The message says what is wrong with it, not where it is. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
  constructor(
    readonly part: 'certificate' | 'key',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A certificate with its key, checked. */
export interface TlsMaterial {
  /** PEM: the server's certificate first, then its issuers. */
  certificate: string;
  /** PEM, not encrypted. */
  key: string;
  /** SHA-256, hex, of the whole chain and the key: differs when either does. */
  fingerprint: string;
  /** ms since 1970, of the server's certificate */
  notBefore: number;
  notAfter: number;
  /** DNS names and addresses that it is for, as in `registry.example.com`, `*.example.com`, `10.0.0.1`. */
  names: readonly string[];
}

/**
 * Checks that a certificate and a key belong together and can be served. The time is not looked at.
 *
 * @throws CertificateError
 */
export function tlsMaterial(certificate: string, key: string): TlsMaterial {
  const chain = certificate.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const [first] = chain.map(readCertificate);
  if (first === undefined) {
    throw new CertificateError('certificate', 'holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)');
  }
  // A file that is being written ends in the middle of one.
  if (certificate.split('-----BEGIN CERTIFICATE-----').length - 1 !== chain.length) {
    throw new CertificateError('certificate', 'ends in the middle of a certificate');
  }
  if (!first.checkPrivateKey(readKey(key))) {
    throw new CertificateError('key', 'is not the key of the certificate; give the two that were made together');
  }
  return {
    certificate: `${chain.join('\n')}\n`,
    key,
    fingerprint: createHash('sha256').update(chain.join('\n')).update('\0').update(key).digest('hex'),
    notBefore: first.validFromDate.getTime(),
    notAfter: first.validToDate.getTime(),
    names: namesOf(first),
  };
}

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new CertificateError('certificate', 'holds a certificate that cannot be read', { cause: error });
  }
}

function readKey(pem: string) {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw new CertificateError('key', 'is encrypted; take the passphrase off: openssl pkey -in OLD -out NEW');
  }
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new CertificateError('key', 'holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)', {
      cause: error,
    });
  }
}

function namesOf(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '')
    .split(', ')
    .map((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1])
    .filter((name) => name !== undefined);
}
