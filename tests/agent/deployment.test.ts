// The agent on a real engine: what becomes of good and bad deployments.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { serverEngineTools } from '../support/server-engine.ts';
import { requireTools } from '../support/tools.ts';
import { deployment, eventually, type Shop, startShop } from './shop.ts';

const here = requireTools('agent', [...serverEngineTools, 'busybox', 'docker']);

describe.skipIf(!here)('the agent', () => {
  let shop: Shop;
  let db = '';
  const web: Record<string, string> = {};

  beforeAll(async () => {
    shop = await startShop();
    db = await shop.push('alice/db', 'sleeps', '1');
    for (const version of ['1', '2', '3']) web[version] = await shop.push('alice/web', 'good', version);
    web.bad = await shop.push('alice/web', 'unhealthy', 'bad');
  }, 60_000);
  afterAll(() => shop?.stop(), 60_000);
  afterEach(() => shop.clear(), 60_000);

  const images = (version: string) => ({ db, web: web[version] ?? '' });
  const reaches = (number: number, phase: string, log: () => string) =>
    eventually(
      `deployment ${number} ${phase}`,
      () => shop.control.deployment(number)?.phase === phase,
      () => `${JSON.stringify(shop.control.reports)}\n${log()}`,
    );

  test('runs what is wanted, says so, and replaces only what changed', async () => {
    shop.control.want({ deployment: deployment(1, images('1')) });
    const agent = shop.startAgent();
    await reaches(1, 'stable', agent.log);
    const [database] = await shop.running('db');
    expect((await shop.running('web')).map(({ digest }) => digest)).toEqual([web['1'] ?? '']);
    const began = performance.now();
    shop.control.want({ deployment: deployment(2, images('2')), stable: deployment(1, images('1')) });
    await reaches(2, 'monitoring', agent.log);
    console.error(`monitoring after ${Math.round(performance.now() - began)} ms`);
    await reaches(2, 'stable', agent.log);
    expect((await shop.running('web')).map(({ digest }) => digest)).toEqual([web['2'] ?? '']);
    expect((await shop.running('db'))[0]?.id).toBe(database?.id ?? '');
    expect(shop.control.services()).toMatchObject([
      { service: 'db', digest: db, containers: 1 },
      { service: 'web', digest: web['2'], containers: 1 },
    ]);
    expect(agent.log()).not.toContain('correct-horse-battery');
    expect(await agent.stop()).toBe(0);
    expect(await shop.running('web')).toHaveLength(1);
  }, 90_000);

  test('goes back by itself when the new release does not get healthy', async () => {
    shop.control.want({ deployment: deployment(1, images('1')) });
    const agent = shop.startAgent();
    await reaches(1, 'stable', agent.log);
    const before = { db: await shop.running('db'), web: await shop.running('web') };
    shop.control.want({ deployment: deployment(2, images('bad')), stable: deployment(1, images('1')) });
    await reaches(2, 'reverted', agent.log);
    expect(shop.control.deployment(2)).toMatchObject({ revertedTo: 1, blame: 'release' });
    expect(shop.control.deployment(2)?.error).toContain('web');
    expect(shop.control.deployment(2)?.log).toContain('no database configured for ***');
    expect({ db: await shop.running('db'), web: await shop.running('web') }).toEqual(before);
  }, 90_000);
});
