// One server of one environment: an engine in a network of its own, a registry with the shop's images, a control server and an agent.

import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { WantedDeployment } from '../../src/api/agent.ts';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { digestOf, mediaTypes, Registry } from '../support/registry.ts';
import { type ServerEngine, type ServerEngineOptions, startServerEngine } from '../support/server-engine.ts';
import { run } from '../support/tools.ts';
import { type ControlServer, startControlServer, TOKEN } from './control-server.ts';

const root = new URL('../..', import.meta.url).pathname;

/** What an image of the shop does. */
export const COMMANDS = {
  good: 'mkdir -p /www; echo "$VERSION" > /www/index.html; echo ok > /www/healthz; exec httpd -f -p 8080 -h /www',
  /** Runs, and never answers its probe. */
  unhealthy: 'mkdir -p /www; echo "no database configured for $SECRET"; exec httpd -f -p 8080 -h /www',
  /** Healthy at first; no longer after two seconds. */
  fading: 'mkdir -p /www; echo ok > /www/healthz; httpd -p 8080 -h /www; sleep 2; rm /www/healthz; exec sleep 1000',
  exits: 'echo "this release is broken"; exit 3',
  sleeps: 'exec sleep 100000',
  migrates: 'echo migrated >> /data/migrations',
  failsToMigrate: 'echo "column is missing" >&2; exit 1',
} as const;

export interface Shop {
  engine: ServerEngine;
  registry: RunningBerth;
  control: ControlServer;
  /** The registry's name as the engine uses it. */
  host: string;
  state: string;
  /** Pushes an image that runs the command. @returns its digest */
  push: (repository: string, command: keyof typeof COMMANDS, version: string, padding?: Uint8Array) => Promise<string>;
  startAgent: (options?: { failpoint?: string; args?: string[]; env?: Record<string, string> }) => Agent;
  /** Ids of the running containers of a service, with what they run. */
  running: (service: string) => Promise<{ id: string; digest: string }[]>;
  /** Removes every container, and begins with an empty state directory and control server. */
  clear: () => Promise<void>;
  stop: () => Promise<void>;
}

export interface Agent {
  pid: number;
  log: () => string;
  exited: Promise<number>;
  signal: (signal: NodeJS.Signals) => void;
  /** SIGTERM; the exit code. */
  stop: () => Promise<number>;
}

export async function startShop(options: ServerEngineOptions = {}): Promise<Shop> {
  const engine = await startServerEngine({ name: 'agent', ...options });
  const registry = await startBerth({ args: ['--host', '0.0.0.0', '--workers', '1'] });
  const host = `${engine.hostAddress}:${registry.port}`;
  const wire = new Registry(registry.port);
  const layer = await busyboxLayer();
  const agents: Agent[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'berth-agent-'));
  const shop: Shop = {
    engine,
    registry,
    control: startControlServer(),
    host,
    state: join(folder, 'state'),
    push: (repository, command, version, padding) =>
      pushImage(wire, padding === undefined ? [layer] : [layer, padding], repository, COMMANDS[command], version),
    startAgent({ failpoint, args = [], env = {} } = {}) {
      const server = `http://${engine.hostAddress}:${shop.control.port}`;
      const program = [process.execPath, join(root, 'src/main.ts'), 'agent', '--server', server, '--registry', host];
      const child = Bun.spawn([...engine.nsenter, ...program, '--state', shop.state, '--log-level', 'debug', ...args], {
        env: {
          ...process.env,
          ...engine.env,
          BERTH_AGENT_TOKEN: TOKEN,
          ...env,
          ...(failpoint === undefined ? {} : { BERTH_FAILPOINT: failpoint }),
        },
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
      });
      let log = '';
      const drain = async (stream: ReadableStream<Uint8Array>) => {
        const decoder = new TextDecoder();
        for await (const chunk of stream) log += decoder.decode(chunk, { stream: true });
      };
      const drained = Promise.all([drain(child.stdout), drain(child.stderr)]);
      const agent: Agent = {
        pid: child.pid,
        log: () => log,
        exited: child.exited.then(async (code) => {
          await Promise.race([drained, Bun.sleep(1_000)]);
          return code;
        }),
        signal: (signal) => child.kill(signal),
        async stop() {
          child.kill('SIGTERM');
          return await agent.exited;
        },
      };
      agents.push(agent);
      return agent;
    },
    async running(service) {
      const filter = ['--filter', `label=io.berth.service=${service}`, '--filter', 'label=io.berth.stack=alice/shop'];
      const lines = await engine.docker(['ps', '--no-trunc', ...filter, '--format', '{{.ID}} {{.Image}}']);
      return lines
        .split('\n')
        .filter(Boolean)
        .map((line) => ({ id: line.split(' ')[0] ?? '', digest: line.split('@')[1] ?? '' }));
    },
    async clear() {
      await endAgents();
      const ids = (await engine.docker(['ps', '--all', '--quiet'])).split('\n').filter(Boolean);
      if (ids.length > 0) await engine.docker(['rm', '--force', '--volumes', ...ids]);
      await engine.docker(['volume', 'prune', '--all', '--force']);
      rmSync(shop.state, { recursive: true, force: true });
      await shop.control.stop();
      shop.control = startControlServer();
    },
    async stop() {
      await endAgents();
      await shop.control.stop();
      wire.close();
      await registry.stop();
      await engine.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const endAgents = async () => {
    for (const agent of agents.splice(0)) {
      agent.signal('SIGKILL');
      await agent.exited;
    }
  };
  return shop;
}

export interface Services {
  web: string;
  db: string;
  migrate?: string;
}

/** A shop with a database that writes to a volume, and a web service that is replaced start-first. */
export function shopFile({ migrate = false, web = '', extra = '' } = {}): string {
  return `
x-berth: { min_healthy_time: 1s, healthy_deadline: 6s, progress_deadline: 8s, drain: 300ms }
services:
  db:
    image: alice/db:1
    stop_grace_period: 1s
    volumes: [ "data:/data" ]
    restart: unless-stopped
  web:
    image: alice/web:latest
    stop_grace_period: 1s
    depends_on: [ db ]
    environment: { SECRET: "\${SECRET:-none}" }
    x-berth: { probe: { port: 8080, path: /healthz } }
    ${web}
${migrate ? '  migrate: { image: alice/migrate, depends_on: [ db ], volumes: [ "data:/data" ], x-berth: { migrate: true } }\n' : ''}${extra}
volumes: { data: {} }
`;
}

export function deployment(number: number, images: Services, change: Partial<WantedDeployment> = {}): WantedDeployment {
  const of = (service: string, digest: string) => [service, { repository: `alice/${service}`, digest }];
  return {
    number,
    file: shopFile({ migrate: images.migrate !== undefined }),
    images: Object.fromEntries(Object.entries(images).map(([service, digest]) => of(service, digest))),
    variables: { SECRET: 'correct-horse-battery' },
    ...change,
  };
}

/** Waits until `check` gives something; fails with what `explain` says. */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  explain: () => string = () => '',
  withinMs = 40_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  while (Date.now() < deadline) {
    const found = await check();
    if (found !== undefined && found !== false) return found;
    await Bun.sleep(50);
  }
  throw new Error(`${what}: not within ${withinMs} ms\n${explain()}`);
}

async function busyboxLayer(): Promise<Uint8Array> {
  const work = mkdtempSync(join(tmpdir(), 'berth-busybox-'));
  try {
    const folder = join(work, 'root');
    mkdirSync(join(folder, 'bin'), { recursive: true });
    mkdirSync(join(folder, 'tmp'));
    copyFileSync('/bin/busybox', join(folder, 'bin/busybox'));
    const applets = ['sh', 'cat', 'sleep', 'httpd', 'wget', 'echo', 'mkdir', 'rm', 'test'];
    for (const applet of applets) symlinkSync('busybox', join(folder, 'bin', applet));
    await run([
      'tar',
      '-C',
      folder,
      '--sort=name',
      '--mtime=@0',
      '--numeric-owner',
      '-cf',
      join(work, 'layer.tar'),
      '.',
    ]);
    return readFileSync(join(work, 'layer.tar'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function pushImage(
  registry: Registry,
  tars: Uint8Array[],
  repository: string,
  command: string,
  version: string,
): Promise<string> {
  const layers = tars.map((tar) => gzipSync(tar, { level: 1 }));
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '2024-01-01T00:00:00Z',
    config: { Cmd: ['sh', '-c', command], Env: ['PATH=/bin', `VERSION=${version}`] },
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) },
  });
  for (const layer of layers) await registry.pushBlob(repository, layer);
  await registry.pushBlob(repository, config);
  const answer = await registry.putManifest(repository, version, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers: layers.map((layer) => ({
      mediaType: mediaTypes.ociLayer,
      digest: digestOf(layer),
      size: layer.length,
    })),
  });
  if (answer.status !== 201) throw new Error(`push: ${answer.status} ${answer.text()}`);
  return answer.headers.get('docker-content-digest') ?? '';
}

/** A tar of one file that no compression makes smaller. */
export async function randomTar(mebibytes: number): Promise<Uint8Array> {
  const work = mkdtempSync(join(tmpdir(), 'berth-random-'));
  try {
    writeFileSync(join(work, 'random'), randomBytes(mebibytes << 20));
    await run(['tar', '-C', work, '-cf', join(work, 'tar'), 'random']);
    return readFileSync(join(work, 'tar'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
