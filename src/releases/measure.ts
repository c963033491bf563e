import { parseComposeFile } from '../compose/file.ts';
import type { Digest } from '../oci/digest.ts';
import type { Rows } from './context.ts';
import type { DeploymentRow, StackRow } from './find.ts';
import type { Part } from './parts.ts';
import { imagesOfRelease } from './releases.ts';
import { stackFileText } from './stacks.ts';

/** A service as a target's engine shows it. */
export interface RunningService {
  service: string;
  digest: string | null;
  containers: number;
  health: 'healthy' | 'unhealthy' | 'starting' | 'running' | 'stopped';
  restarts: number;
}

/** What must run of a deployment, by service; migrations end, and are not in it. */
export async function expectedServices(
  rows: Rows,
  stack: StackRow,
  deployment: Pick<DeploymentRow, 'release_id'>,
): Promise<Map<string, Digest>> {
  const { file } = await rows
    .selectFrom('releases')
    .select('file')
    .where('id', '=', deployment.release_id)
    .executeTakeFirstOrThrow();
  const { services } = parseComposeFile(await stackFileText(rows, stack, file));
  const expected = new Map<string, Digest>();
  for (const image of await imagesOfRelease(rows, deployment.release_id)) {
    const service = services.get(image.service);
    if (service === undefined || service.migration || isScaledToNone(service.definition)) continue;
    expected.set(image.service, image.digest);
  }
  return expected;
}

/** Whether the last inventory shows each service with its digest, running. One that failed shows nothing. */
export function isMeasured(part: Pick<Part, 'services'>, expected: ReadonlyMap<string, Digest>): boolean {
  const services = runningServices(part.services);
  if (services === null) return false;
  return [...expected].every(([name, digest]) =>
    services.some(
      (running) =>
        running.service === name &&
        running.digest === digest &&
        running.containers > 0 &&
        (running.health === 'healthy' || running.health === 'running'),
    ),
  );
}

export function runningServices(column: string | null): RunningService[] | null {
  return column === null ? null : (JSON.parse(column) as RunningService[]);
}

function isScaledToNone(definition: Readonly<Record<string, unknown>>): boolean {
  const { deploy, scale } = definition;
  const replicas = typeof deploy === 'object' && deploy !== null && 'replicas' in deploy ? deploy.replicas : scale;
  return Number(replicas ?? 1) === 0;
}
