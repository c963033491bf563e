// Data of every schema there ever was, under today's program: it starts, and everything is there.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SCHEMA_VERSION } from '../../src/database/migrate.ts';
import { Reporter } from '../cli/shop.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { type RunningPostgres, requirePostgres, startPostgres } from '../support/postgres.ts';
import { ALICE, BOB, FIRST, HOOK, INDEX, repositoryOf, SECOND, SECRET, STACK, VARIABLE } from './content.ts';
import { bringToPostgres, factsOf, SCHEMAS, unpack } from './fixture.ts';

let postgres: RunningPostgres | undefined;
afterAll(() => postgres?.stop());

/** 5, 6 and 7 came with 8: no Berth ever wrote them. The newest gets its fixture when the next one lands. */
const LANDED = [1, 2, 3, 4, 8];

test('there is a fixture of every schema that has landed', () => {
  expect(SCHEMAS.filter((schema) => schema < SCHEMA_VERSION)).toEqual(LANDED);
});

for (const kind of ['sqlite', 'postgres'] as const) {
  describe.skipIf(kind === 'postgres' && !requirePostgres('upgrades on PostgreSQL'))(`on ${kind}`, () => {
    describe.each(SCHEMAS)('data of schema %i', (schema) => {
      const work = mkdtempSync(join(tmpdir(), 'berth-upgrade-'));
      const data = join(work, 'data');
      const repository = repositoryOf(schema);
      const facts = factsOf(schema);
      let database: string[] = [];
      let server: RunningBerth;

      beforeAll(async () => {
        if (kind === 'postgres') {
          postgres ??= await startPostgres({ settings: ['fsync = off'] });
          database = ['--database', await postgres.newDatabase()];
          await bringToPostgres(schema, work, data, database[1] ?? '');
        } else await unpack(schema, data);
        const anonymous = schema === 1 ? 'push' : 'none';
        server = await startBerth({
          data,
          args: ['--anonymous', anonymous, '--workers', '1', '--gc-interval', '0s', ...database],
        });
      }, 120_000);
      afterAll(async () => {
        await server?.stop();
        rmSync(work, { recursive: true, force: true });
      });

      const environment = () => ({ BERTH_CONFIG_HOME: join(work, 'home'), BERTH_SERVER: server.url, BERTH_TOKEN: '' });
      const say = async (line: string, stdin?: string) => {
        const ran = await berth(line.split(' '), { env: environment(), ...(stdin === undefined ? {} : { stdin }) });
        expect({ line, code: ran.code, stderr: ran.code === 0 ? '' : ran.stderr }).toEqual({
          line,
          code: 0,
          stderr: '',
        });
        return ran.stdout;
      };
      const get = async (path: string) => {
        const { token } = facts;
        const headers = token === undefined ? {} : { Authorization: `Basic ${btoa(`${ALICE.name}:${token}`)}` };
        const response = await fetch(`${server.url}/v2/${repository}/${path}`, {
          headers: {
            ...headers,
            Accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json',
          },
        });
        return { status: response.status, text: await response.text() };
      };

      test('is pulled: tags, manifests by digest, an index, blobs', async () => {
        expect(await get('manifests/1.0')).toEqual({ status: 200, text: SECOND.manifest });
        expect(await get(`manifests/${FIRST.digest}`)).toEqual({ status: 200, text: FIRST.manifest });
        expect(await get('manifests/latest')).toEqual({ status: 200, text: INDEX });
        for (const { config, layer, manifest } of [FIRST, SECOND]) {
          const { config: described, layers } = JSON.parse(manifest) as {
            config: { digest: string };
            layers: { digest: string }[];
          };
          expect(await get(`blobs/${described.digest}`)).toEqual({ status: 200, text: config });
          expect(await get(`blobs/${layers[0]?.digest}`)).toEqual({ status: 200, text: layer });
        }
      });

      test('lets its people in with their passwords, and makes an administrator where there was none', async () => {
        if (schema === 1) {
          const flags = ['setup', '--data', data, ...database, '--username', ALICE.name, '--password-stdin'];
          expect((await berth(flags, { stdin: ALICE.password })).stderr).toBe('');
        } else {
          await say(`login -u ${BOB.name} --password-stdin`, BOB.password);
          expect(await say('whoami')).toContain(BOB.name);
        }
        await say(`login -u ${ALICE.name} --password-stdin`, ALICE.password);
        if (schema === 1) return;
        expect(await say('member list acme')).toContain(BOB.name);
        expect(await say('grant list acme')).toContain('builders');
        expect(await say('robot list acme')).toContain('ci');
        expect(await say('audit')).toContain('organization.create');
      });

      test('has its stacks, and servers get their secrets', async () => {
        if (facts.targetToken === undefined) return;
        expect(await say(`history production --stack ${STACK}`)).toContain('v1');
        expect(await say(`release list ${STACK}`)).toContain('1');
        const { deployment } = await new Reporter(server.url, facts.targetToken).wanted();
        expect(deployment?.images.web?.digest).toBe(SECOND.digest);
        expect(JSON.stringify(deployment)).toContain(VARIABLE.value);
        expect(JSON.stringify(deployment)).toContain(SECRET.value);
      });

      test('has its limits, rules and webhooks', async () => {
        if (schema < 8) return;
        expect(await say('quota show acme')).toContain('3.0 GiB');
        expect(await say('retention show acme')).toContain('30d');
        expect(await say('webhook list --namespace acme')).toContain(HOOK);
      });

      test('has its history, and a tag goes back', async () => {
        const history = await say(`tag history ${repository}:1.0`);
        expect(history).toContain(SECOND.digest.slice(7, 19));
        await say(`tag rollback ${repository}:1.0`);
        expect(await get('manifests/1.0')).toEqual({ status: 200, text: FIRST.manifest });
      });

      test('is whole, and is backed up and brought back', async () => {
        expect((await berth(['verify', '--data', data, ...database])).stdout).toStartWith('all is well');
        const target = join(work, 'today');
        const made = await berth(['backup', target, '--data', data, ...database]);
        expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: '' });
        const restored = await berth(['restore', target, '--data', join(work, 'restored')]);
        expect(restored.stdout).toContain('all is well');
      });
    });
  });
}
