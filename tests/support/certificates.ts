// Certificates that openssl makes, also such as no server should have.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './tools.ts';

export interface CertificateOptions {
  /** `DNS:registry.test,IP:127.0.0.1` unless told. */
  names?: string;
  /** As `20240101000000Z`; two months from now on unless told. */
  valid?: { from: string; until: string };
}

/** Writes a certificate that signs itself to `certificate`, and its key to `key`. */
export async function makeCertificate(
  certificate: string,
  key: string,
  options: CertificateOptions = {},
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'berth-certificate-'));
  const names = ['-addext', `subjectAltName=${options.names ?? 'DNS:registry.test,IP:127.0.0.1'}`];
  const subject = ['-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-subj', '/CN=registry.test', ...names];
  try {
    if (options.valid === undefined) {
      await run(['openssl', 'req', '-x509', ...subject, '-out', certificate, '-days', '60']);
      return;
    }
    // `openssl req` of Debian 12 takes no dates; an authority does.
    const authority = ['[ca]', 'default_ca=own', '[own]', 'database=index', 'new_certs_dir=.', 'serial=serial'];
    authority.push('default_md=sha256', 'policy=any', 'copy_extensions=copy', '[any]', 'commonName=supplied', '');
    for (const [name, content] of [
      ['ca', authority.join('\n')],
      ['index', ''],
      ['serial', '01\n'],
    ] as const)
      writeFileSync(join(work, name), content);
    await run(['openssl', 'req', '-new', ...subject, '-out', join(work, 'request')]);
    const dates = ['-startdate', options.valid.from, '-enddate', options.valid.until];
    const signed = ['-selfsign', '-keyfile', key, '-in', 'request', '-out', certificate, '-notext', ...dates];
    await run(['openssl', 'ca', '-batch', '-config', 'ca', ...signed], { cwd: work });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
