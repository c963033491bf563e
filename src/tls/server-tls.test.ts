import { describe, expect, test } from 'bun:test';
import type { CertificateSource } from './certificate-source.ts';
import type { ClientAuthorities } from './file-certificate.ts';
import { Polled } from './polled.ts';
import { ServerTls, type ServerTlsState } from './server-tls.ts';
import type { TlsMaterial } from './tls-material.ts';

const quick = { everyMs: 5, onProblem: () => {} };
const material = (fingerprint: string): TlsMaterial => ({
  certificate: '',
  key: '',
  fingerprint,
  names: [],
  notBefore: 0,
  notAfter: 0,
});

/** What is watched, and can be changed. */
function place(first: string | undefined, authorities?: string) {
  const now = { certificate: first, authorities };
  const certificate: CertificateSource = new Polled(
    async () => (now.certificate === undefined ? undefined : material(now.certificate)),
    quick,
  );
  const clients = new Polled<ClientAuthorities>(
    async () => (now.authorities === undefined ? undefined : { certificates: '', fingerprint: now.authorities }),
    quick,
  );
  const told: string[] = [];
  const tell = ({ material: shown, clients: whom }: ServerTlsState) =>
    told.push(`${shown.fingerprint} ${whom?.fingerprint ?? 'everyone'}`);
  const tls = new ServerTls(certificate, authorities === undefined ? undefined : clients);
  return { now, told, tell, tls };
}

async function until(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error('it did not come to that');
    await Bun.sleep(2);
  }
}

describe("A server's TLS", () => {
  test('changes with its certificate and with the authorities of its clients, each of them with the other', async () => {
    const { now, told, tell, tls } = place('a', 'one');
    const end = tls.watch(await tls.current(), tell);
    now.authorities = 'two';
    await until(() => told.length === 1);
    now.certificate = 'b';
    await until(() => told.length === 2);
    end();
    expect(told).toEqual(['a two', 'b two']);
  });

  test('begins when there is a first certificate', async () => {
    const { now, told, tell, tls } = place(undefined);
    expect(await tls.current()).toBeUndefined();
    const end = tls.watch(undefined, tell);
    now.certificate = 'a';
    await until(() => told.length === 1);
    end();
    expect(told).toEqual(['a everyone']);
  });
});
