// The agent is killed with SIGKILL at each of its steps; the next start goes on, and the shop is never without its web service.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { serverEngineTools } from '../support/server-engine.ts';
import { requireTools } from '../support/tools.ts';
import { type Agent, deployment, eventually, type Services, type Shop, startShop } from './shop.ts';

const here = requireTools('agent crashes', [...serverEngineTools, 'busybox', 'docker']);

const STEPS = [
  'pulling',
  'pulled',
  'migrating',
  'started:migrate',
  'switching',
  'switching:web',
  'created:web',
  'healthy:web',
  'monitoring',
  'retiring:web',
];
const REVERT_STEPS = ['created:web', 'reverting', 'reverted'];

describe.skipIf(!here)('an agent that is killed', () => {
  let shop: Shop;
  let agent: Agent;
  let number = 1;
  let good: [Services, Services];
  let bad: Services;

  beforeAll(async () => {
    shop = await startShop();
    const db = await shop.push('alice/db', 'sleeps', '1');
    const migrate = await shop.push('alice/migrate', 'migrates', '1');
    const of = async (command: 'good' | 'unhealthy', version: string) => ({
      db,
      migrate,
      web: await shop.push('alice/web', command, version),
    });
    good = [await of('good', '1'), await of('good', '2')];
    bad = await of('unhealthy', '3');
    shop.control.want({ deployment: deployment(1, good[1]) });
    agent = shop.startAgent();
    await reaches('stable');
  }, 90_000);
  afterAll(() => shop?.stop(), 60_000);

  const explain = () => `${JSON.stringify(shop.control.reports.slice(-5))}\n${agent.log()}`;
  const reaches = (phase: string) =>
    eventually(`${number} ${phase}`, () => shop.control.deployment(number)?.phase === phase, explain);
  const migrations = async () => {
    const [database] = await shop.running('db');
    return (await shop.engine.docker(['exec', database?.id ?? '', 'cat', '/data/migrations'])).split('\n').length;
  };

  for (const step of STEPS) {
    test(`at "${step}" continues to the new release`, async () => {
      await agent.stop();
      const [database] = await shop.running('db');
      const before = await migrations();
      const images = good[number % 2 === 0 ? 1 : 0] ?? good[0];
      const stable = shop.control.state.deployment;
      number += 1;
      shop.control.want({ deployment: deployment(number, images), stable });
      agent = shop.startAgent({ failpoint: step });
      expect(await agent.exited).toBe(137);
      expect((await shop.running('web')).length).toBeGreaterThan(0);
      agent = shop.startAgent();
      await reaches('stable');
      expect((await shop.running('web')).map(({ digest }) => digest)).toEqual([images.web]);
      expect((await shop.running('db'))[0]?.id).toBe(database?.id ?? '');
      expect(await migrations()).toBe(before + 1);
    }, 60_000);
  }

  for (const step of REVERT_STEPS) {
    test(`at "${step}" of a bad release goes back, and never tries it again`, async () => {
      await agent.stop();
      const stable = shop.control.state.deployment;
      const before = { web: (await shop.running('web'))[0]?.digest, db: (await shop.running('db'))[0]?.id };
      number += 1;
      shop.control.want({ deployment: deployment(number, bad), stable });
      agent = shop.startAgent({ failpoint: step });
      if (step === 'reverted') {
        await reaches('reverted');
        agent.signal('SIGKILL');
      }
      expect(await agent.exited).toBe(137);
      expect((await shop.running('web')).some(({ digest }) => digest === before.web)).toBe(true);
      agent = shop.startAgent();
      await reaches('reverted');
      expect((await shop.running('web')).map(({ digest }) => digest)).toEqual([before.web ?? '']);
      expect((await shop.running('db'))[0]?.id).toBe(before.db ?? '');
      expect(agent.log()).not.toContain('"phase":"pulling"');
      // What the next one goes back to is the release before the bad one.
      shop.control.state.deployment = stable;
    }, 60_000);
  }
});
