import { z } from 'zod';
import { type Docker, json } from './docker.ts';

const PROJECT = 'com.docker.compose.project';
const SERVICE = 'com.docker.compose.service';
const ONE_OFF = 'com.docker.compose.oneoff';

const inspected = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    RestartCount: z.number().default(0),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullable().default({}) }),
    HostConfig: z.object({ RestartPolicy: z.object({ Name: z.string() }).default({ Name: '' }) }),
    State: z.object({
      Status: z.string(),
      ExitCode: z.number(),
      StartedAt: z.string(),
      Health: z.object({ Status: z.string() }).nullable().optional(),
    }),
    NetworkSettings: z.object({
      Ports: z
        .record(z.string(), z.array(z.object({ HostIp: z.string(), HostPort: z.string() })).nullable())
        .nullable()
        .default({}),
    }),
  }),
);

export interface LocalContainer {
  id: string;
  name: string;
  project: string | undefined;
  service: string;
  status: string;
  /** undefined: it has no health check. */
  health: string | undefined;
  exitCode: number;
  restarts: number;
  /** The engine starts it again when it ends. */
  comesBack: boolean;
  startedAt: string;
  published: { address: string; port: number; target: string }[];
}

/** The containers of a set, or all of the engine; without those of `docker compose run`. */
export async function containersOf(docker: Docker, project?: string): Promise<LocalContainer[]> {
  const filter = project === undefined ? [] : ['--filter', `label=${PROJECT}=${project}`];
  const ids = (await docker.output(['ps', '--all', '--quiet', '--no-trunc', ...filter])).split('\n').filter(Boolean);
  if (ids.length === 0) return [];
  // One that goes meanwhile makes docker fail, though it prints the others.
  const { stdout } = await docker.run(['inspect', '--type', 'container', ...ids]);
  const found = inspected.safeParse(json(stdout)).data ?? [];
  return found
    .map((container) => ({
      id: container.Id,
      name: container.Name.replace(/^\//, ''),
      project: container.Config.Labels?.[PROJECT],
      service: container.Config.Labels?.[SERVICE] ?? '',
      oneOff: container.Config.Labels?.[ONE_OFF] === 'True',
      status: container.State.Status,
      health: container.State.Health?.Status,
      exitCode: container.State.ExitCode,
      restarts: container.RestartCount,
      comesBack: !['', 'no'].includes(container.HostConfig.RestartPolicy.Name),
      startedAt: container.State.StartedAt,
      published: publishedBy(container.NetworkSettings.Ports),
    }))
    .filter(({ oneOff }) => project === undefined || !oneOff)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function publishedBy(ports: Record<string, { HostIp: string; HostPort: string }[] | null> | null) {
  const found = new Map<string, { address: string; port: number; target: string }>();
  for (const [target, bindings] of Object.entries(ports ?? {})) {
    for (const { HostIp, HostPort } of bindings ?? []) {
      const port = Number(HostPort);
      // The engine lists IPv4 and IPv6 apart.
      const address = ['', '0.0.0.0', '::'].includes(HostIp) ? '' : HostIp;
      found.set(`${address} ${port} ${target}`, { address, port, target });
    }
  }
  return [...found.values()];
}

/** How one container stands; `settled`: there is nothing to wait for any more. */
export interface Standing {
  text: string;
  settled: boolean;
  failed: boolean;
}

/**
 * @param steady whether it has been running for a while since it was first seen so; counts where nothing checks its health
 */
export function standingOf(container: LocalContainer, steady: boolean): Standing {
  const { status, health, exitCode, comesBack } = container;
  if (status === 'running') {
    if (health === 'unhealthy') return { text: 'unhealthy', settled: true, failed: true };
    if (health === 'healthy') return { text: 'healthy', settled: true, failed: false };
    if (health !== undefined && health !== 'none') return { text: 'starting', settled: false, failed: false };
    return { text: 'running', settled: steady, failed: false };
  }
  if (status === 'exited' || status === 'dead') {
    if (exitCode === 0 && !comesBack) return { text: 'done', settled: true, failed: false };
    return { text: `exited (${exitCode})`, settled: !comesBack, failed: !comesBack };
  }
  if (status === 'restarting') return { text: `restarting (exited ${exitCode})`, settled: false, failed: false };
  return { text: status, settled: false, failed: false };
}

/** The last lines that a container wrote, of both streams. */
export async function logTail(docker: Docker, id: string, lines = 20): Promise<string> {
  const { stdout, stderr } = await docker.run(['logs', '--tail', String(lines), id], { withinMs: 20_000 });
  return [stdout, stderr].filter(Boolean).join('\n');
}
