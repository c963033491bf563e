// How the pages of stacks look to everybody: axe in light and dark, and the width of a phone.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { canBrowse, PageRig, type Person, type VisitOptions } from './rig.ts';
import { SimulatedTarget } from './simulated-target.ts';

const STACK = { namespace: 'alice', stack: 'shop' };
const LONG = 'a-service-with-a-name-as-long-as-they-come';

const PAGES = [
  ['/stacks', 'Stacks', 'shop'],
  ['/s/alice/shop', 'the board', 'Production is frozen'],
  ['/s/alice/shop/settings', 'the settings of a stack', 'Delete the stack'],
  ['/s/alice/shop/releases', 'the releases', 'Release 1'],
  ['/s/alice/shop/releases/2', 'a release', 'To test, which runs Release 3'],
  ['/s/alice/shop/environments/test', 'an environment', 'DB_PASSWORD'],
  ['/s/alice/shop/environments/test/settings', 'the settings of an environment', 'Delete the environment'],
  ['/s/alice/shop/environments/test/deployments/2', 'a deployment that failed', 'Failed and was rolled back'],
  ['/s/alice/shop/environments/test/deployments/4', 'a deployment under way', 'Pulling images'],
] as const;

describe.skipIf(!canBrowse)('the look of stacks', () => {
  let rig: PageRig;
  let alice: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
    await fill(rig, alice);
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  const ways: [string, Omit<VisitOptions, 'as'>][] = [
    ['in light', {}],
    ['in dark', { dark: true }],
    ['on a phone, in Korean', { phone: true, language: 'ko' }],
    ['on a phone, in dark', { phone: true, dark: true }],
  ];
  test.each(ways)(
    '%s nothing is in the way of anybody, and no page moves sideways',
    async (_, options) => {
      const visit = await rig.visit({ ...options, as: alice });
      const found: Record<string, unknown> = {};
      for (const [path, name, text] of PAGES) {
        await visit.open(path);
        const shown =
          options.language === 'ko' ? visit.page.getByRole('main').getByText('shop') : visit.page.getByText(text);
        await shown.first().waitFor();
        await visit.page.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' });
        const [violations, sideways] = [await visit.audit(), await visit.sideways()];
        if (violations.length > 0 || sideways > 0) found[name] = { violations, sideways };
      }
      expect(found).toEqual({});
      expect(visit.complaints).toEqual([]);
      await visit.close();
    },
    90_000,
  );
});

async function fill(rig: PageRig, { api, pusher }: Person): Promise<void> {
  for (const [index, tag] of ['1.0.0', '1.1.0', 'latest'].entries()) {
    for (const repository of ['alice/web', `alice/${LONG}`]) {
      const revision = `${index}f3a9c21e4b7d6508c9a1b2c3d4e5f60718293a4b`.slice(0, 40);
      const annotations = {
        'org.opencontainers.image.revision': revision,
        'org.opencontainers.image.source': 'https://github.com/alice/shop',
        'org.opencontainers.image.version': tag,
      };
      await pusher.image(repository, tag, { manifest: { annotations } });
    }
  }
  const file = `services:
  web:
    image: ${rig.host}/alice/web:latest
    environment:
      DB_PASSWORD: \${DB_PASSWORD:-}
      ORIGINS: \${ORIGINS:-}
  ${LONG}:
    image: ${rig.host}/alice/${LONG}:latest
`;
  await api.stacks.create('alice', { name: 'shop', file });
  await api.environments.create(STACK, { name: 'test', track: { web: { kind: 'semver', value: '^1.0' } } });
  await api.environments.create(STACK, { name: 'production', protected: true });
  const place = { ...STACK, environment: 'test' };
  await api.environments.changeConfig(place, {
    set: {
      DB_PASSWORD: { value: 'hunter2', secret: true },
      ORIGINS: { value: 'https://a-long-name.example.com,'.repeat(8), secret: false },
    },
  });
  await api.environments.changeConfig(place, { set: { LOG_LEVEL: { value: 'info', secret: false } } });
  const { token } = await api.targets.enroll(place, { name: 'web-1' });
  await api.targets.enroll(place, { name: 'away' });
  const target = new SimulatedTarget(rig.url, token);
  await target.report();
  await api.deployments.deploy(place, { images: { web: '1.0.0', [LONG]: '1.0.0' } });
  await target.run(1);
  await api.deployments.deploy(place, { images: { web: '1.1.0' } });
  await target.ordered(2);
  const error = `web is unhealthy: GET /healthz answered 500 for 30 s ${'x'.repeat(300)}`;
  const log = `FATAL ${'no database '.repeat(40)}\n`;
  await target.report({ deployment: { number: 2, phase: 'reverting', error, log, blame: 'release', revertedTo: 1 } });
  await target.report({ deployment: { number: 2, phase: 'reverted', error, revertedTo: 1 } });
  await target.run(3);
  await api.environments.hold({ ...STACK, environment: 'production' }, 'Production is frozen');
  await api.deployments.deploy(place, { images: { [LONG]: '1.1.0' } });
  await target.ordered(4);
  const pull = { bytes: 31_000_000, total: 84_000_000 };
  await target.report({
    deployment: { number: 4, phase: 'pulling', pull, warnings: ['the engine is older than 24.0'] },
  });
}
