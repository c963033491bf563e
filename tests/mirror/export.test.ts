// berth export to another registry: a second Berth, and Debian's docker-registry.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OldRegistry, startOldRegistry } from '../import/old-registry.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { describeBytes, digestOf, mediaTypes, Registry } from '../support/registry.ts';
import { requireTools } from '../support/tools.ts';
import { PASSWORD, Site, USER } from './site.ts';

const canRun = requireTools('export to docker-registry', ['docker-registry']);
setDefaultTimeout(120_000);

let work: string;
let here: RunningBerth;
let other: Site;
let filled: { index: string; image: string; signature: string; plain: string };

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'berth-export-'));
  [here, other] = await Promise.all([
    startBerth({ args: ['--workers', '1'], readyWithin: 90_000 }),
    Site.start(['--workers', '1']),
  ]);
  filled = await fill(new Registry(here.port));
}, 120_000);
afterAll(async () => {
  await Promise.all([here?.stop(), other?.stop()]);
  rmSync(work, { recursive: true, force: true });
}, 60_000);

/** An index of one image with a signature, and an image of another repository with the same layer. */
async function fill(registry: Registry) {
  const layer = Buffer.alloc(200_000, 'layer');
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux' });
  for (const name of ['team/app', 'team/web']) {
    for (const bytes of [layer, Buffer.from(config)]) await registry.pushBlob(name, bytes);
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describeBytes(config, mediaTypes.ociConfig),
    layers: [describeBytes(layer, mediaTypes.ociLayer)],
  };
  const put = async (name: string, reference: string, document: object) => {
    const body = JSON.stringify(document);
    const answer = await registry.putManifest(name, reference || digestOf(body), body, {
      mediaType: (document as { mediaType: string }).mediaType,
    });
    if (answer.status !== 201) throw new Error(answer.text());
    return digestOf(body);
  };
  const image = await put('team/app', '', manifest);
  const described = describeBytes(JSON.stringify(manifest), mediaTypes.ociManifest);
  const index = await put('team/app', '1.0', {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ ...described, platform: { architecture: 'amd64', os: 'linux' } }],
  });
  const signature = await put('team/app', '', {
    ...manifest,
    artifactType: 'application/vnd.example.signature',
    subject: described,
  });
  return { index, image, signature, plain: await put('team/web', '2.0', { ...manifest, annotations: { a: 'b' } }) };
}

const exporting = (args: string[], stdin = PASSWORD) =>
  berth(['export', ...args, '--data', here.data, '--username', USER, '--password-stdin', '--output', 'json'], {
    stdin,
  });

const digestAt = async (url: string, name: string, reference: string, authorization?: string) => {
  const accept = `${mediaTypes.ociIndex}, ${mediaTypes.ociManifest}`;
  const answer = await fetch(`${url}/v2/${name}/manifests/${reference}`, {
    headers: { accept, ...(authorization === undefined ? {} : { authorization }) },
  });
  return answer.status === 200 ? digestOf(new Uint8Array(await answer.arrayBuffer())) : answer.status;
};

describe('an export to another Berth', () => {
  test('sends each blob once, mounts it where another repository there has it, and sends nothing the second time', async () => {
    const first = await exporting(['team/app', 'team/web:2.0', '--to', `${other.server.url}/copies/`]);
    expect([first.stderr, first.code]).toEqual(['', 0]);
    expect(JSON.parse(first.stdout)).toMatchObject({
      images: 2,
      manifests: 4,
      blobs: { sent: 2, mounted: 2, present: 0 },
    });
    expect(await other.digestAt('copies/team/web', '2.0')).toBe(filled.plain);
    expect(await digestAt(other.server.url, 'copies/team/app', '1.0', other.authorization)).toBe(filled.index);
    const list = await other.ask('GET', `/v2/copies/team/app/referrers/${filled.image}`);
    const { manifests } = (await list.json()) as { manifests: { digest: string }[] };
    expect(manifests.map(({ digest }) => digest)).toEqual([filled.signature]);

    const second = await exporting(['team/app', 'team/web:2.0', '--to', `${other.server.url}/copies/`]);
    expect(JSON.parse(second.stdout)).toMatchObject({ manifests: 0, manifestsPresent: 4, bytesSent: 0 });
  });

  test('gives one repository the name that the address has', async () => {
    const done = await exporting(['team/web:2.0', '--to', `${other.server.url}/alice/renamed`]);
    expect([done.stderr, done.code]).toEqual(['', 0]);
    expect(await other.digestAt('alice/renamed', '2.0')).toBe(filled.plain);
    const several = await exporting(['team/web', 'team/app', '--to', `${other.server.url}/alice/renamed`]);
    expect(several.stderr).toContain('/alice/renamed/ to put alice/renamed/ before their names');
  });

  test('says why it is refused: the log-in, an immutable tag, a full quota', async () => {
    const wrong = await exporting(['team/web:2.0', '--to', `${other.server.url}/a/b`], 'not the password');
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain(`it refuses the log-in of ${USER}`);

    await other.push('fixed/web', '2.0', 'another');
    await other.client.tags.setImmutable('fixed/web', ['*']);
    const fixed = await exporting(['team/web:2.0', '--to', `${other.server.url}/fixed/web`]);
    expect(fixed.code).toBe(1);
    expect(fixed.stderr).toMatch(/answers 403 \(DENIED: .*immutable/);

    await other.client.quotas.set('tight', 10_000);
    const full = await exporting(['team/web:2.0', '--to', `${other.server.url}/tight/web`]);
    expect(full.code).toBe(1);
    expect(full.stderr).toMatch(/quota: tight may hold 10000 bytes/);
  });
});

describe.if(canRun)("an export to Debian's docker-registry", () => {
  let old: OldRegistry;
  beforeAll(async () => {
    old = await startOldRegistry(work, join(work, 'old'), { username: USER, password: PASSWORD });
  }, 60_000);
  afterAll(() => old?.stop());

  test('arrives byte for byte, with its signatures under the tag that stands for them there', async () => {
    const done = await exporting(['team/app:1.0', '--to', `${old.url}/moved/app`]);
    expect([done.stderr, done.code]).toEqual(['', 0]);
    expect(JSON.parse(done.stdout)).toMatchObject({ manifests: 3, blobs: { sent: 2 } });
    const login = `Basic ${btoa(`${USER}:${PASSWORD}`)}`;
    expect(await digestAt(old.url, 'moved/app', '1.0', login)).toBe(filled.index);
    const tag = filled.image.replace(':', '-');
    const answer = await fetch(`${old.url}/v2/moved/app/manifests/${tag}`, {
      headers: { accept: mediaTypes.ociIndex, authorization: login },
    });
    const { manifests } = (await answer.json()) as { manifests: { digest: string; artifactType: string }[] };
    expect(manifests).toMatchObject([{ digest: filled.signature, artifactType: 'application/vnd.example.signature' }]);
    const again = await exporting(['team/app:1.0', '--to', `${old.url}/moved/app`]);
    expect(JSON.parse(again.stdout)).toMatchObject({ manifests: 0, bytesSent: 0 });
    const wrong = await exporting(['team/app:1.0', '--to', `${old.url}/moved/app`], 'wrong');
    expect(wrong.stderr).toContain('needs a log-in');
  });
});
