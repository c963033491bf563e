// Certificates from pebble, Let's Encrypt's own test server: what one or several processes do.
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { randomBytes, X509Certificate } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { migrate } from '../../src/database/migrate.ts';
import { type DatabasePlace, onEachDatabase } from '../../src/database/test-databases.ts';
import { SecretBox } from '../../src/releases/secret-box.ts';
import { testFolder } from '../../src/storage/contract.ts';
import type { AcmeOptions } from '../../src/tls/acme/acme-options.ts';
import { AcmeSource } from '../../src/tls/acme/acme-source.ts';
import { type RunningPebble, requirePebble, startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { eventually } from '../support/processes.ts';

setDefaultTimeout(60_000);

const NAME = 'registry.example.com';
const WITHIN_MS = 30_000;
const KID = 'customer-1';
const CUSTOMERS = { [KID]: randomBytes(32).toString('base64url') };

/** A process that serves: what it was told, what it wrote, and where it answers challenges. */
interface Process {
  source: AcmeSource;
  served: () => X509Certificate;
  changes: () => number;
  lines: { level: string; message: string; fields: Record<string, unknown> }[];
  said: (message: string) => Record<string, unknown> | undefined;
  stop: () => void;
}

const here = requirePebble('certificates from an ACME authority');

describe.skipIf(!here)('certificates from an ACME authority', () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  onEachDatabase('processes and an authority', (newPlace, kind) => {
    /** What the database has no part in is tried on one of them. */
    const onOne = test.skipIf(kind === 'postgres');
    let pebble: RunningPebble;
    let answering: ReturnType<typeof Bun.serve>;
    let sources: AcmeSource[] = [];
    beforeAll(async () => {
      // Any process may be asked for a challenge: here the last one that started.
      answering = Bun.serve({
        port: await freePort(),
        hostname: '127.0.0.1',
        async fetch(request) {
          const token = new URL(request.url).pathname.replace('/.well-known/acme-challenge/', '');
          const answer = await sources.at(-1)?.answer(token);
          return new Response(answer ?? 'no such challenge', { status: answer === undefined ? 404 : 200 });
        },
      });
      pebble = await startPebble({ httpPort: answering.port ?? 0 });
    }, WITHIN_MS);
    afterAll(async () => {
      await answering?.stop(true);
      await pebble?.stop();
    });
    afterEach(() => {
      sources = [];
    });

    const options = (more: Partial<AcmeOptions> = {}): AcmeOptions => ({
      directory: pebble.directory,
      domains: [NAME],
      email: 'ops@example.com',
      authorityFile: pebble.rootFile,
      externalAccount: undefined,
      dnsHook: undefined,
      ...more,
    });

    let processes = 0;
    async function start(
      place: DatabasePlace,
      more: { options?: Partial<AcmeOptions>; key?: Uint8Array; now?: () => number } = {},
    ): Promise<Process> {
      const database = place.open();
      const lines: Process['lines'] = [];
      const write = (level: string) => (fields: unknown, message?: string) => {
        lines.push({ level, message: message ?? '', fields: fields as Record<string, unknown> });
      };
      const source = new AcmeSource({
        database,
        seal: new SecretBox(more.key ?? SECRET),
        options: options(more.options),
        holder: `process-${++processes}`,
        now: more.now ?? Date.now,
        random: () => 0,
        log: { info: write('info'), warn: write('warn'), error: write('error') },
        ordered: () => {},
      });
      sources.push(source);
      const first = await source.current();
      let served = new X509Certificate(first?.certificate ?? '');
      let changes = 0;
      const stop = source.watch((material) => {
        served = new X509Certificate(material.certificate);
        changes++;
      });
      ends.push(stop);
      return {
        source,
        served: () => served,
        changes: () => changes,
        lines,
        said: (message) => lines.findLast((line) => line.message === message)?.fields,
        stop,
      };
    }

    async function newData(): Promise<DatabasePlace> {
      const place = await newPlace();
      await migrate(place.open());
      return place;
    }

    const issuedBy = (found: Process) => found.served().issuer;
    const isIssued = (found: Process) => issuedBy(found).includes('Pebble');

    test('a self-signed certificate stands in until the authority has given one, which several processes then serve, ordered once', async () => {
      const place = await newData();
      const before = pebble.issued();
      const all = [await start(place), await start(place), await start(place)];
      expect(all.map(issuedBy)).toEqual(Array.from({ length: 3 }, () => 'CN=Berth stand-in'));
      expect(all[0]?.served().subjectAltName).toBe(`DNS:${NAME}`);
      await eventually('all serve the certificate', WITHIN_MS, () => all.every(isIssued));
      expect(new Set(all.map((one) => one.served().fingerprint256)).size).toBe(1);
      expect(all[0]?.served().subjectAltName).toBe(`DNS:${NAME}`);
      expect(pebble.issued() - before).toBe(1);
    });

    test('a restart serves the stored certificate at once, and orders none', async () => {
      const place = await newData();
      const first = await start(place);
      await eventually('it has a certificate', WITHIN_MS, () => isIssued(first));
      first.stop();
      const before = pebble.issued();
      const again = await start(place);
      expect(again.served().fingerprint256).toBe(first.served().fingerprint256);
      await Bun.sleep(2_500);
      expect(pebble.issued()).toBe(before);
      expect(again.said('ordering a certificate')).toBeUndefined();
    });

    onOne('a certificate is replaced when a third of its time is left', async () => {
      const place = await newData();
      let ahead = 0;
      const found = await start(place, { now: () => Date.now() + ahead });
      await eventually('it has a certificate', WITHIN_MS, () => isIssued(found));
      const first = found.served();
      const { nextOrderAt } = await found.source.state();
      const left = (first.validToDate.getTime() - nextOrderAt) / (90 * 86_400_000);
      expect(left).toBeGreaterThanOrEqual(1 / 3 - 0.001);
      expect(left).toBeLessThan(1 / 3 + 1 / 30 + 0.001);
      const orders = found.lines.filter(({ message }) => message === 'ordering a certificate').length;
      ahead = nextOrderAt - Date.now() - 5_000;
      await Bun.sleep(1_500);
      expect(found.lines.filter(({ message }) => message === 'ordering a certificate')).toHaveLength(orders);
      ahead += 10_000;
      await eventually('it is replaced', WITHIN_MS, () => found.served().serialNumber !== first.serialNumber);
      expect(isIssued(found)).toBe(true);
    });

    test('other names get another certificate, and the one before is served meanwhile', async () => {
      const place = await newData();
      const first = await start(place);
      await eventually('it has a certificate', WITHIN_MS, () => isIssued(first));
      first.stop();
      const domains = ['127.0.0.1', NAME, 'www.example.com'];
      const second = await start(place, { options: { domains } });
      expect(second.served().fingerprint256).toBe(first.served().fingerprint256);
      await eventually('it has the other', WITHIN_MS, () => second.changes() > 0);
      expect(second.served().subjectAltName?.split(', ').sort()).toEqual([
        `DNS:${NAME}`,
        'DNS:www.example.com',
        'IP Address:127.0.0.1',
      ]);
    });

    onOne(
      'the key is in the database only encrypted; with another secret key it is said, and another is not ordered at once',
      async () => {
        const place = await newData();
        const first = await start(place);
        await eventually('it has a certificate', WITHIN_MS, () => isIssued(first));
        const key = (await first.source.current())?.key ?? '';
        expect(key).toContain('PRIVATE KEY');
        const database = place.open();
        const rows = [
          ...(await database.read.selectFrom('acme_certificates').selectAll().execute()),
          ...(await database.read.selectFrom('acme_accounts').selectAll().execute()),
        ];
        expect(rows).toHaveLength(2);
        expect(JSON.stringify(rows)).not.toContain('PRIVATE KEY');
        expect(JSON.stringify(first.lines)).not.toContain('PRIVATE KEY');
        const other = await start(place, { key: randomBytes(32) });
        expect(issuedBy(other)).toBe('CN=Berth stand-in');
        expect(other.said('the stored certificate can not be used; another one is ordered')).toBeDefined();
        expect((await other.source.state()).nextOrderAt).toBeGreaterThan(Date.now() + 3_000_000);
      },
    );

    onOne(
      'an authority that is away is asked again, less and less often, and gives the certificate when it is back',
      async () => {
        const place = await newData();
        await pebble.stopAuthority();
        let ahead = 0;
        let found: Process;
        try {
          found = await start(place, { now: () => Date.now() + ahead });
          await eventually('it says so', WITHIN_MS, () => found.said('no certificate could be got') !== undefined);
          expect(issuedBy(found)).toBe('CN=Berth stand-in');
          const first = found.said('no certificate could be got');
          expect(String(first?.reason)).toStartWith(`cannot reach the authority at ${pebble.directory}: `);
          expect(first?.failures).toBe(1);
          ahead += 5_000;
          await eventually('it asks again', WITHIN_MS, () => found.said('no certificate could be got')?.failures === 2);
          const { failure, nextOrderAt } = await found.source.state();
          expect(nextOrderAt - (failure?.failedAt ?? 0)).toBe(10_000);
        } finally {
          await pebble.startAuthority();
        }
        ahead += 10_000;
        await eventually('it has a certificate', WITHIN_MS, () => isIssued(found));
        expect((await found.source.state()).failure).toBeUndefined();
      },
    );

    onOne('an authority that has forgotten the account gets it again', async () => {
      const place = await newData();
      let ahead = 0;
      const found = await start(place, { now: () => Date.now() + ahead });
      await eventually('it has a certificate', WITHIN_MS, () => isIssued(found));
      const first = found.served().fingerprint256;
      await pebble.stopAuthority();
      await pebble.startAuthority();
      ahead = (await found.source.state()).nextOrderAt - Date.now() + 1_000;
      await eventually('it is replaced', WITHIN_MS, () => found.served().fingerprint256 !== first);
      expect(found.said('no certificate could be got')).toBeUndefined();
    });

    test('a challenge that is not answered is told in the words of the authority, waits minutes, also after a restart, but not with other settings', async () => {
      const place = await newData();
      // Asked of a server that has another database.
      const elsewhere = await newData();
      const found = await start(place);
      const stranger = new AcmeSource({ ...strangerContext(elsewhere), options: options() });
      sources.push(stranger);
      await eventually('it says so', WITHIN_MS, () => found.said('no certificate could be got') !== undefined);
      const said = found.said('no certificate could be got');
      expect(String(said?.reason)).toMatch(
        /^registry\.example\.com: the authority says: .*404.*; registry\.example\.com leads to another server than this one/,
      );
      const { failure, nextOrderAt } = await found.source.state();
      expect(nextOrderAt - (failure?.failedAt ?? 0)).toBe(300_000);
      found.stop();

      const again = await start(place);
      await Bun.sleep(1_500);
      expect(again.said('ordering a certificate')).toBeUndefined();
      again.stop();

      const changed = await start(place, { options: { email: 'admin@example.com' } });
      await eventually('it has a certificate', WITHIN_MS, () => isIssued(changed));
    });

    function strangerContext(place: DatabasePlace) {
      return {
        database: place.open(),
        seal: new SecretBox(SECRET),
        holder: 'stranger',
        now: Date.now,
        random: () => 0,
        log: { info: () => {}, warn: () => {}, error: () => {} },
        ordered: () => {},
      };
    }

    onOne('a private root that is not named is refused, and the setting is named', async () => {
      const found = await start(await newData(), { options: { authorityFile: undefined } });
      await eventually('it says so', WITHIN_MS, () => found.said('no certificate could be got') !== undefined);
      expect(String(found.said('no certificate could be got')?.reason)).toEndWith(
        'if the authority is your own, name its root certificate with acmeCa',
      );
    });

    onOne('names and wildcards are proven over DNS by a hook', async () => {
      const folder = testFolder('dns-hook');
      try {
        const hook = join(folder, 'hook');
        const script = `#!/bin/sh\nset -eu\ncase $1 in\nset) exec curl -fsS --noproxy '*' -d "{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" ${pebble.dns}/set-txt ;;\nremove) exec curl -fsS --noproxy '*' -d "{\\"host\\":\\"$2.\\"}" ${pebble.dns}/clear-txt ;;\nesac\n`;
        writeFileSync(hook, script, { mode: 0o755 });
        const domains = ['*.example.com', 'example.com'];
        const found = await start(await newData(), { options: { domains, dnsHook: hook } });
        await eventually('it has a certificate', WITHIN_MS, () => isIssued(found));
        expect(found.served().subjectAltName?.split(', ').sort()).toEqual(['DNS:*.example.com', 'DNS:example.com']);

        expect(found.said('what proved a name to the authority could not be removed')).toBeUndefined();

        writeFileSync(hook, script.replace('set -eu', 'set -eu; [ $1 = set ] || exit 4'), { mode: 0o755 });
        const leaving = await start(await newData(), { options: { domains, dnsHook: hook } });
        await eventually('it has a certificate', WITHIN_MS, () => isIssued(leaving));
        expect(leaving.said('what proved a name to the authority could not be removed')).toBeDefined();

        writeFileSync(hook, '#!/bin/sh\necho "no such zone: $2" >&2\nexit 3\n', { mode: 0o755 });
        const failing = await start(await newData(), { options: { domains, dnsHook: hook } });
        await eventually('it says so', WITHIN_MS, () => failing.said('no certificate could be got') !== undefined);
        expect(String(failing.said('no certificate could be got')?.reason)).toBe(
          `acmeDnsHook: ${hook} set _acme-challenge.example.com ended with code 3: no such zone: _acme-challenge.example.com`,
        );
        writeFileSync(hook, script, { mode: 0o755 });
        expect(await failing.source.retry()).toBe(true);
        await eventually('it has a certificate at once', WITHIN_MS, () => isIssued(failing));
        expect(await failing.source.retry()).toBe(false);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

    onOne('an authority that wants its customers is given the account that it knows', async () => {
      const folder = testFolder('external-account');
      const closed = await startPebble({ httpPort: answering.port ?? 0, externalAccounts: CUSTOMERS });
      try {
        const target = { directory: closed.directory, authorityFile: closed.rootFile };
        const unknown = await start(await newData(), { options: target });
        await eventually('it says so', WITHIN_MS, () => unknown.said('no certificate could be got') !== undefined);
        expect(String(unknown.said('no certificate could be got')?.reason)).toContain(
          'set acmeEabKid and acmeEabKeyFile',
        );
        unknown.stop();
        const keyFile = join(folder, 'key');
        writeFileSync(keyFile, `${CUSTOMERS[KID]}\n`);
        const known = await start(await newData(), { options: { ...target, externalAccount: { kid: KID, keyFile } } });
        await eventually('it has a certificate', WITHIN_MS, () => isIssued(known));
      } finally {
        await closed.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
});

const SECRET = randomBytes(32);
