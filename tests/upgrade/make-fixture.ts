// Makes fixtures/schema-N.tar.gz: the data directory of a former Berth, filled by that Berth's own server and commands. COMMIT is the last one that had schema N:
//
//     git archive COMMIT | tar -x -C /tmp/then      # fixtures/schema-N.json names the commit
//     node scripts/bun.mjs tests/upgrade/make-fixture.ts /tmp/then N COMMIT
//
// A schema that has landed gets its fixture once, from the last commit that had it, before the next schema lands.
import { Database } from 'bun:sqlite';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Reporter, tokenOf } from '../cli/shop.ts';
import { freePort } from '../support/ports.ts';
import { digestOf, mediaTypes } from '../support/registry.ts';
import {
  ALICE,
  BOB,
  FIRST,
  type FixtureFacts,
  HOOK,
  type Image,
  INDEX,
  QUOTA,
  repositoryOf,
  SECOND,
  SECRET,
  STACK,
  VARIABLE,
} from './content.ts';

const [checkout = '', number = '', commit = ''] = process.argv.slice(2);
const schema = Number(number);
const fixtures = resolve(import.meta.dir, 'fixtures');
const work = mkdtempSync(join(tmpdir(), 'berth-fixture-'));
const data = join(work, 'data');
const facts: FixtureFacts = { schema, commit };
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const basic = schema === 1 ? {} : { Authorization: `Basic ${btoa(`${ALICE.name}:${ALICE.password}`)}` };

async function berth(args: string[], stdin = ''): Promise<string> {
  const child = Bun.spawn([join(checkout, 'bin/berth'), ...args], {
    env: { ...process.env, BERTH_CONFIG_HOME: join(work, 'home'), BERTH_SERVER: url, NO_COLOR: '1' },
    stdin: Buffer.from(stdin),
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`berth ${args.join(' ')} failed`);
  return text;
}

async function send(method: string, path: string, body: string, type: string): Promise<void> {
  const response = await fetch(url + path, { method, body, headers: { ...basic, 'Content-Type': type } });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
}

async function pushBlob(repository: string, content: string): Promise<void> {
  const started = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers: basic });
  const location = started.headers.get('location') ?? '';
  await send('PUT', `${location.replace(url, '')}?digest=${digestOf(content)}`, content, 'application/octet-stream');
}

async function push(repository: string, tag: string, image: Image): Promise<void> {
  await pushBlob(repository, image.config);
  await pushBlob(repository, image.layer);
  await send('PUT', `/v2/${repository}/manifests/${tag}`, image.manifest, mediaTypes.ociManifest);
}

async function fillRegistry(): Promise<void> {
  const repository = repositoryOf(schema);
  await push(repository, '1.0', FIRST);
  await push(repository, '1.0', SECOND);
  await send('PUT', `/v2/${repository}/manifests/latest`, INDEX, mediaTypes.ociIndex);
  // One that is never ended.
  await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers: basic });
}

async function fillAccounts(): Promise<void> {
  await berth(['login', '-u', ALICE.name, '--password-stdin'], ALICE.password);
  await berth(['user', 'create', BOB.name, '--password-stdin'], BOB.password);
  await berth(['organization', 'create', 'acme']);
  await berth(['member', 'set', 'acme', BOB.name]);
  await berth(['team', 'create', 'acme', 'builders']);
  await berth(['team', 'add', 'acme', 'builders', BOB.name]);
  await berth(['grant', 'set', 'acme', '--team', 'builders', '--role', 'write']);
  await berth(['robot', 'create', 'acme+ci', '--role', 'write']);
  facts.token = tokenOf(await berth(['token', 'create', 'forever', '--expires', 'never', '--level', 'admin']));
}

/** From schema 8 on: limits, rules, and who is told; before the pushes, which they then see. */
async function fillOperations(): Promise<void> {
  await berth(['quota', 'set', 'acme', QUOTA]);
  await berth(['retention', 'set', 'acme', '--match', '*', '--keep-last', '5', '--pushed-within', '30d']);
  await berth(['webhook', 'create', HOOK, '--namespace', 'acme']);
}

async function fillStacks(): Promise<void> {
  const file = join(work, 'compose.yaml');
  writeFileSync(file, `services:\n  web:\n    image: 127.0.0.1:${port}/acme/app:1.0\n`);
  await berth(['stack', 'create', STACK, '-f', file]);
  await berth(['env', 'create', STACK, 'production']);
  await berth(['config', 'set', 'production', `${VARIABLE.name}=${VARIABLE.value}`, '--stack', STACK]);
  await berth(['config', 'set', 'production', '--secret', SECRET.name, '--stack', STACK], SECRET.value);
  facts.targetToken = tokenOf(await berth(['target', 'enroll', STACK, 'production']));
  const server = new Reporter(url, facts.targetToken);
  await server.say();
  await berth(['release', 'create', STACK]);
  await berth(['deploy', 'production', '--release', '1', '--stack', STACK]);
  await server.run(1);
}

if (schema > 1) await berth(['setup', '--data', data, '--username', ALICE.name, '--password-stdin'], ALICE.password);
const server = Bun.spawn(
  [
    join(checkout, 'bin/berth'),
    'serve',
    '--port',
    String(port),
    '--host',
    '127.0.0.1',
    '--data',
    data,
    '--workers',
    '1',
    '--anonymous',
    schema === 1 ? 'push' : 'none',
    '--gc-interval',
    '0s',
    '--log-level',
    'warn',
  ],
  { stdout: 'inherit', stderr: 'inherit' },
);
try {
  for (let tries = 0; ; tries++) {
    if (
      await fetch(`${url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      break;
    if (tries > 400) throw new Error('the server did not get ready');
    await Bun.sleep(100);
  }
  if (schema > 1) await fillAccounts();
  if (schema > 7) await fillOperations();
  await fillRegistry();
  if (schema > 2) await fillStacks();
  if (schema > 3) await berth(['gc', '--data', data]);
} finally {
  server.kill('SIGTERM');
  await server.exited;
}
// One file, without what was deleted and without the log beside it.
const database = new Database(join(data, 'berth.db'));
database.run(`VACUUM INTO '${join(work, 'berth.db')}'`);
database.close();
for (const name of [
  'berth.db',
  'berth.db-wal',
  'berth.db-shm',
  'serve.lock',
  'serve.owner',
  'full-disk-reserve',
  'uploads',
]) {
  rmSync(join(data, name), { recursive: true, force: true });
}
renameSync(join(work, 'berth.db'), join(data, 'berth.db'));
mkdirSync(fixtures, { recursive: true });
writeFileSync(join(fixtures, `schema-${schema}.json`), `${JSON.stringify(facts, null, 2)}\n`);
const files = Bun.spawnSync(['find', '.', '-type', 'f', '-printf', '%P\\n'], { cwd: data }).stdout.toString();
const tar = [
  'tar',
  '--owner=0',
  '--group=0',
  '--sort=name',
  '-czf',
  join(fixtures, `schema-${schema}.tar.gz`),
  '-C',
  data,
  '-T',
  '-',
];
Bun.spawnSync(tar, { stdin: Buffer.from(files) });
rmSync(work, { recursive: true, force: true });
