// A team with Berth and its machines: a CI server, servers to run things on, a laptop. Each is an engine of its own; the parts of
// a test ask for those that they need.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import {
  type DeploymentInfo,
  deploymentInfo,
  deploymentPage,
  type EnvironmentStatus,
  enrolledTarget,
  environmentStatus,
} from '../../src/api/deployments.ts';
import { eventually } from '../support/processes.ts';
import { type ServerEngine, serverEngineTools, startServerEngine } from '../support/server-engine.ts';
import { type Person, type RunningAgent, startAgent, startTeam, type Team } from '../support/stack.ts';
import { requireTools } from '../support/tools.ts';
import {
  databaseImage,
  frontImage,
  pushImage,
  type WebVersion,
  webImage,
  webImageTools,
} from '../support/web-image.ts';

/** How long what has to happen by itself may take here, ms: on two cores that run other tests as well. */
export const PATIENCE = 90_000;

/** What a minute or more is in real life. */
const QUICK = {
  BERTH_DEPLOY_LEASE: '12s',
  BERTH_TARGET_AWAY: '8s',
  BERTH_AGENT_POLL: '1s',
  BERTH_AGENT_REPORT: '1s',
};

export const canShip = (suite: string) => requireTools(suite, [...serverEngineTools, ...webImageTools]);

/** A server that runs an environment. */
export interface Place {
  engine: ServerEngine;
  agent: RunningAgent;
  /** The target's name. */
  target: string;
}

export interface Rig {
  team: Team;
  alice: Person;
  /** Pushes as alice. `name`: `web:1.0` */
  push: (name: string, version: WebVersion) => Promise<string>;
  /** Makes a stack of hers from a compose file, through the command line. */
  createStack: (name: string, file: string) => Promise<void>;
  engine: (name: string) => Promise<ServerEngine>;
  /** Enrolls a new server as `environment` (`shop/test`), and starts the agent there. */
  place: (environment: string, engine?: ServerEngine, env?: Record<string, string>) => Promise<Place>;
  status: (environment: string) => Promise<EnvironmentStatus>;
  deployments: (environment: string) => Promise<DeploymentInfo[]>;
  deployment: (environment: string, number: number) => Promise<DeploymentInfo>;
  /** Waits until what the environment runs is such a deployment. */
  settled: (environment: string, what: string, holds: (current: DeploymentInfo) => boolean) => Promise<DeploymentInfo>;
  stop: () => Promise<void>;
}

export async function startRig(options: { env?: Record<string, string> } = {}): Promise<Rig> {
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of ends.toReversed()) await end().catch((error: unknown) => console.error(String(error)));
  };
  try {
    const team = await startTeam({
      env: { ...QUICK, ...options.env },
      args: ['--gc-interval', '24h', '--gc-grace', '1s'],
    });
    ends.push(team.stop);
    const alice = await team.join('alice');
    const login = { username: 'alice', secret: alice.secret };
    await pushImage(await frontImage(), `${team.host}/alice/front:1`, login);
    await pushImage(await databaseImage(), `${team.host}/alice/db:1`, login);
    const path = (environment: string) => {
      const [stack = '', name = ''] = environment.split('/');
      return `namespaces/alice/stacks/${stack}/environments/${name}`;
    };
    const status: Rig['status'] = async (environment) =>
      environmentStatus.parse(await alice.api('GET', `${path(environment)}/status`));
    const engine: Rig['engine'] = async (name) => {
      const made = await startServerEngine({ name, insecure: [team.host] });
      ends.push(made.stop);
      return made;
    };
    return {
      team,
      alice,
      engine,
      status,
      async push(name, version) {
        const image = await webImage(version);
        await pushImage(image, `${team.host}/alice/${name}`, login);
        return image.manifest.digest;
      },
      async createStack(name, file) {
        writeFileSync(join(alice.folder, `${name}.yaml`), file);
        await alice.berth(['stack', 'create', name, '--file', `${name}.yaml`]);
      },
      async place(environment, given, env = {}) {
        const machine = given ?? (await engine(environment.replace('/', '-')));
        const [stack = '', name = ''] = environment.split('/');
        const enrolled = enrolledTarget.parse(await alice.json(['target', 'enroll', stack, name]));
        const agent = startAgent(machine, { command: enrolled.command, env });
        ends.push(agent.stop);
        const { name: target } = enrolled.target;
        await eventually(`the agent of ${environment} is there; it says:\n${agent.log()}`, PATIENCE, async () =>
          (await status(environment)).targets.some((one) => one.name === target && one.online),
        );
        return { engine: machine, agent, target };
      },
      async deployments(environment) {
        return deploymentPage.parse(await alice.api('GET', `${path(environment)}/deployments`)).deployments;
      },
      async deployment(environment, number) {
        return deploymentInfo.parse(await alice.api('GET', `${path(environment)}/deployments/${number}`));
      },
      async settled(environment, what, holds) {
        let last: DeploymentInfo | null = null;
        const deadline = Date.now() + PATIENCE;
        while (Date.now() < deadline) {
          last = (await status(environment)).current;
          if (last !== null && holds(last)) return last;
          await Bun.sleep(200);
        }
        throw new Error(`${environment}: not ${what} within ${PATIENCE} ms; it is ${JSON.stringify(last, null, 1)}`);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A shop: nginx before `web`, `api` on a port of its own (so that it is stopped first), and a database with a volume. */
export function shopFile(host: string): string {
  return `x-berth:
  watch: 5s
  min_healthy_time: 1s
  healthy_deadline: 20s
  progress_deadline: 40s
  drain: 2s
services:
  front:
    image: ${host}/alice/front:1
    restart: unless-stopped
    ports: ["\${FRONT_PORT:-80}:80"]
  web:
    image: ${host}/alice/web:latest
    build: .
    restart: unless-stopped
    depends_on: [db]
    environment:
      COLOR: \${COLOR:-blue}
  api:
    image: ${host}/alice/api:latest
    restart: unless-stopped
    ports: ["8081:80"]
  db:
    image: ${host}/alice/db:1
    restart: unless-stopped
    volumes: ["data:/data"]
volumes:
  data: {}
`;
}

/** One web service without anything before it: what most faults need. With a volume it is stopped first. */
export function smallFile(host: string, volume?: 'volume'): string {
  return `x-berth:
  watch: 5s
  min_healthy_time: 1s
  healthy_deadline: 10s
  progress_deadline: 30s
  drain: 1s
services:
  web:
    image: ${host}/alice/web:latest
    restart: unless-stopped
${volume === undefined ? '' : '    volumes: ["data:/data"]\nvolumes:\n  data: {}\n'}`;
}

const container = z.looseObject({
  Id: z.string(),
  Config: z.looseObject({ Image: z.string(), Labels: z.record(z.string(), z.string()) }),
  State: z.looseObject({ Running: z.boolean(), Health: z.looseObject({ Status: z.string() }).optional() }),
});

export interface Container {
  id: string;
  /** As it was created: a whole reference with a digest. */
  image: string;
  running: boolean;
  health: string | undefined;
}

/** The containers of a service, of any project or of one, as the engine itself shows them. */
export async function containersOf(engine: ServerEngine, service: string, project?: string): Promise<Container[]> {
  const filter = ['--filter', `label=com.docker.compose.service=${service}`];
  if (project !== undefined) filter.push('--filter', `label=com.docker.compose.project=${project}`);
  const ids = (await engine.docker(['ps', '--all', '--quiet', '--no-trunc', ...filter])).split('\n').filter(Boolean);
  if (ids.length === 0) return [];
  const { stdout } = await engine.tryDocker(['inspect', '--type', 'container', ...ids]);
  return z
    .array(container)
    .parse(JSON.parse(stdout || '[]'))
    .map(({ Id, Config, State }) => ({
      id: Id,
      image: Config.Image,
      running: State.Running,
      health: State.Health?.Status,
    }));
}

/** What the only container of a service runs: its digest. @throws when there is not exactly one, or none runs */
export async function runningDigest(engine: ServerEngine, service: string, project?: string): Promise<string> {
  const [only, ...others] = (await containersOf(engine, service, project)).filter(({ running }) => running);
  if (only === undefined || others.length > 0)
    throw new Error(`${service}: ${others.length + (only ? 1 : 0)} containers`);
  return only.image.split('@')[1] ?? only.image;
}

export function digestOf(deployment: DeploymentInfo | null, service: string): string | undefined {
  return deployment?.images.find((image) => image.service === service)?.digest;
}

/** What a service answers now; undefined when it does not. */
export async function answerOf(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { keepalive: false, signal: AbortSignal.timeout(3_000) });
    const text = await response.text();
    return response.ok ? text.trim() : undefined;
  } catch {
    return undefined;
  }
}
