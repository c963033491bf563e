import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { CertificateSource } from './certificate-source.ts';
import { Polled, type PollingOptions } from './polled.ts';
import { CertificateError, type TlsMaterial, tlsMaterial } from './tls-material.ts';

/** Authorities whose client certificates are taken. */
export interface ClientAuthorities {
  /** PEM */
  certificates: string;
  fingerprint: string;
}

const FLAGS = { certificate: '--tls-certificate', key: '--tls-key' };
const CLIENT_CA = '--tls-client-ca';
/** No chain is longer; it bounds what a wrong path can cost. */
const MOST_BYTES = 1 << 20;

/** A certificate and its key in two files. Errors name flag and file. */
export function fileCertificate(
  paths: { certificate: string; key: string },
  options: PollingOptions & { now?: () => number },
): CertificateSource {
  const { now = Date.now } = options;
  return new Polled(async (): Promise<TlsMaterial> => {
    const [certificate, key] = await Promise.all([
      readPem(FLAGS.certificate, paths.certificate),
      readPem(FLAGS.key, paths.key),
    ]);
    const material = checked(paths, certificate, key);
    if (material.notBefore > now()) {
      throw new CertificateError(
        'certificate',
        `${FLAGS.certificate}: ${paths.certificate} is not valid before ${new Date(material.notBefore).toISOString()}; give another, or set this machine's clock`,
      );
    }
    return material;
  }, options);
}

function checked(paths: { certificate: string; key: string }, certificate: string, key: string): TlsMaterial {
  try {
    return tlsMaterial(certificate, key);
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    throw new CertificateError(error.part, `${FLAGS[error.part]}: ${paths[error.part]} ${error.message}`, {
      cause: error,
    });
  }
}

/** The file of `--tls-client-ca`. */
export function fileAuthorities(path: string, options: PollingOptions): Polled<ClientAuthorities> {
  return new Polled(async () => {
    const certificates = await readPem(CLIENT_CA, path);
    const fault = authorityFault(certificates);
    if (fault !== undefined) throw new CertificateError('certificate', `${CLIENT_CA}: ${path} ${fault}`);
    return { certificates, fingerprint: createHash('sha256').update(certificates).digest('hex') };
  }, options);
}

function authorityFault(text: string): string | undefined {
  const pems = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (pems.length === 0) return 'holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)';
  try {
    const other = pems.map((pem) => new X509Certificate(pem)).find(({ ca }) => !ca);
    return other === undefined
      ? undefined
      : `holds the certificate of ${other.subject.replaceAll('\n', ', ')}, which is no authority's; give that of the authority that signed it`;
  } catch {
    return 'holds a certificate that cannot be read';
  }
}

async function readPem(flag: string, path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new CertificateError(
      'certificate',
      `${flag}: cannot read ${path}: ${error instanceof Error ? error.message : 'unknown error'}; give a file in PEM form that this user may read`,
      { cause: error },
    );
  }
  if (bytes.length > MOST_BYTES) {
    throw new CertificateError('certificate', `${flag}: ${path} is larger than a certificate can be`);
  }
  return bytes.toString('utf8');
}
