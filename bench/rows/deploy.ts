import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type DeploymentInfo, deploymentPage, enrolledTarget } from '../../src/api/deployments.ts';
import { type ServerEngine, serverEngineTools, startServerEngine } from '../../tests/support/server-engine.ts';
import { type Person, startAgent, startTeam } from '../../tests/support/stack.ts';
import { requireTools } from '../../tests/support/tools.ts';
import { pushImage, webImage } from '../../tests/support/web-image.ts';
import type { Bench, Row } from '../bench.ts';
import type { Measurement } from '../measurement.ts';

const ENVIRONMENT = 'namespaces/alice/stacks/shop/environments/test';
const WITHIN_MS = 60_000;

/** From a push, and from `berth rollback`, to healthy on a real engine, without what the service itself takes to start. */
export const deploy: Row = {
  key: 'deploy',
  title: 'push to healthy, and rollback to healthy, beyond the start of the service itself',
  async run(bench) {
    if (!requireTools('bench deploy', serverEngineTools)) throw new Error('no container engine on this machine');
    const team = await startTeam({ args: ['--log-level', 'warn'] });
    let engine: ServerEngine | undefined;
    let agent: ReturnType<typeof startAgent> | undefined;
    try {
      const alice = await team.join('alice');
      engine = await startServerEngine({ name: 'bench', insecure: [team.host] });
      const login = { username: 'alice', secret: alice.secret };
      const push = async (version: string) => {
        const image = await webImage({ version: `bench-${version}` });
        await pushImage(image, `${team.host}/alice/web:latest`, login);
        return Date.now();
      };
      writeFileSync(
        join(alice.folder, 'shop.yaml'),
        `x-berth: { watch: 1s, drain: 0s }\nservices:\n  web:\n    image: ${team.host}/alice/web:latest\n`,
      );
      await alice.berth(['stack', 'create', 'shop', '--file', 'shop.yaml']);
      await alice.berth(['env', 'create', 'shop', 'test', '--track', 'web=latest', '--deploy-on-push']);
      const { command } = enrolledTarget.parse(await alice.json(['target', 'enroll', 'shop', 'test']));
      agent = startAgent(engine, { command });
      return await measure(bench, alice, engine, push);
    } finally {
      await agent?.stop();
      await engine?.stop();
      await team.stop();
    }
  },
};

async function measure(
  bench: Bench,
  alice: Person,
  engine: ServerEngine,
  push: (version: string) => Promise<number>,
): Promise<Measurement[]> {
  const samples = { push: [] as number[], rollback: [] as number[], own: [] as number[] };
  // The first is not measured: it also brings the layers that all versions share.
  await push('0');
  await stable(alice, (current) => current.number === 1);
  for (let round = 1; round <= bench.runs; round++) {
    const pushed = await push(String(round));
    const deployed = await stable(alice, (current) => current.reason === 'push' && current.number === 2 * round);
    const ownStart = await startOf(engine);
    samples.push.push((Date.parse(deployed.finishedAt ?? '') - pushed) / 1000 - ownStart);
    samples.own.push(ownStart);
    const asked = Date.now();
    await alice.berth(['rollback', 'test']);
    const back = await stable(alice, (current) => current.reason === 'rollback' && current.number === 2 * round + 1);
    samples.rollback.push((Date.parse(back.finishedAt ?? '') - asked) / 1000 - (await startOf(engine)));
  }
  const own = `the service itself takes ${samples.own.map((value) => value.toFixed(1)).join(', ')} s from its start to its first good health check, which is taken off`;
  const base = { row: 'deploy', unit: 's', better: 'lower', subject: 'berth' } satisfies Partial<Measurement>;
  return [
    {
      ...base,
      label: 'end of the push to healthy, beyond the start itself',
      samples: { berth: samples.push },
      bar: { kind: 'value', atMost: 3 },
      notes: [own, 'a new layer each time, start-first, one server'],
    },
    {
      ...base,
      label: '`berth rollback` to healthy, beyond the start itself',
      samples: { berth: samples.rollback },
      bar: { kind: 'value', atMost: 2 },
      notes: ['from the command’s start; the image is still on the server'],
    },
  ];
}

async function stable(alice: Person, holds: (current: DeploymentInfo) => boolean): Promise<DeploymentInfo> {
  const deadline = Date.now() + WITHIN_MS;
  let last: DeploymentInfo | undefined;
  while (Date.now() < deadline) {
    last = deploymentPage.parse(await alice.api('GET', `${ENVIRONMENT}/deployments?n=1`)).deployments[0];
    if (last?.stable && holds(last)) return last;
    await Bun.sleep(100);
  }
  throw new Error(`no stable deployment within ${WITHIN_MS} ms; the last is ${JSON.stringify(last)}`);
}

const inspected = z.array(
  z.object({
    State: z.object({
      StartedAt: z.string(),
      Health: z.object({ Log: z.array(z.object({ End: z.string(), ExitCode: z.number() })) }),
    }),
  }),
);

/** From the container's start to the end of its first good health check, in seconds. */
async function startOf(engine: ServerEngine): Promise<number> {
  const [id = ''] = (await engine.docker(['ps', '-q', '--filter', 'label=com.docker.compose.service=web'])).split('\n');
  const [container] = inspected.parse(JSON.parse(await engine.docker(['inspect', id])));
  const good = container?.State.Health.Log.find((check) => check.ExitCode === 0);
  if (container === undefined || good === undefined)
    throw new Error('the container has no good health check on record');
  return (Date.parse(good.End) - Date.parse(container.State.StartedAt)) / 1000;
}
