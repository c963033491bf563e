// An authority of the test's own, and a certificate of it for one address.
import { join } from 'node:path';
import { run } from '../support/tools.ts';

export interface Certificates {
  /** Of the authority, as `ca.crt` for clients. */
  authority: string;
  certificate: string;
  key: string;
}

/** Makes `authority.pem`, `registry.pem` and `registry.key` in `folder`. @param address an IP address */
export async function makeCertificates(folder: string, address: string): Promise<Certificates> {
  const at = (name: string) => join(folder, name);
  const make = (...args: string[]) =>
    run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...args]);
  await make('-keyout', at('authority.key'), '-out', at('authority.pem'), '-subj', '/CN=Authority of a test');
  const extensions = [
    `subjectAltName=IP:${address}`,
    'basicConstraints=critical,CA:FALSE',
    'extendedKeyUsage=serverAuth',
  ];
  await make(
    ...['-CA', at('authority.pem'), '-CAkey', at('authority.key')],
    ...['-keyout', at('registry.key'), '-out', at('registry.pem'), '-subj', '/CN=registry'],
    ...extensions.flatMap((extension) => ['-addext', extension]),
  );
  return { authority: at('authority.pem'), certificate: at('registry.pem'), key: at('registry.key') };
}
