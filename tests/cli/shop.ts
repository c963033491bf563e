// A stack with images, and a server of it that runs nothing: it tells the registry what a test wants it to tell.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentReport, type WantedState, wantedState } from '../../src/api/agent.ts';
import type { TargetPhase } from '../../src/api/deployments.ts';
import { eventually } from '../support/processes.ts';
import { digestOf, mediaTypes } from '../support/registry.ts';
import { ADMINISTRATOR, type Person } from './person.ts';

const BASIC = `Basic ${btoa(`${ADMINISTRATOR.name}:${ADMINISTRATOR.password}`)}`;

export const COMPOSE = `services:
  web:
    image: localhost:5000/alice/web:1.0
    ports: ['8080:80']
`;

/** Writes the compose file into the person's folder. Returns its path. */
export function composeFile(person: Person, text = COMPOSE): string {
  const path = join(person.home, 'compose.yaml');
  writeFileSync(path, text);
  return path;
}

/** Pushes a small image that no engine could run; another one for each tag. Returns its digest. */
export async function pushImage(url: string, repository: string, tag: string): Promise<string> {
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, tag });
  const described = await pushBlob(url, repository, config);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, ...described },
    layers: [],
    annotations: { 'org.opencontainers.image.revision': `revision-of-${tag}` },
  });
  await sent(`${url}/v2/${repository}/manifests/${tag}`, 'PUT', manifest, mediaTypes.ociManifest);
  return digestOf(manifest);
}

async function pushBlob(url: string, repository: string, content: string) {
  const digest = digestOf(content);
  const started = await sent(`${url}/v2/${repository}/blobs/uploads/`, 'POST');
  const location = new URL(started.headers.get('location') ?? '', url);
  location.searchParams.set('digest', digest);
  await sent(location.href, 'PUT', content, 'application/octet-stream');
  return { digest, size: Buffer.byteLength(content) };
}

async function sent(url: string, method: string, body?: string, type = 'application/json'): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers: { Authorization: BASIC, 'Content-Type': type },
    ...(body === undefined ? {} : { body }),
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  return response;
}

/** What an enrolled server tells, in the words of `src/api/agent.ts`. */
export class Reporter {
  readonly #authorization: string;

  constructor(
    readonly url: string,
    token: string,
  ) {
    this.#authorization = `Bearer ${token}`;
  }

  async wanted(): Promise<WantedState> {
    const response = await fetch(`${this.url}/api/v1/agent/state`, {
      headers: { Authorization: this.#authorization },
    });
    if (!response.ok) throw new Error(`state: ${response.status} ${await response.text()}`);
    return wantedState.parse(await response.json());
  }

  /** Waits until the deployment is to be run here. */
  async ordered(number: number): Promise<WantedState> {
    let state: WantedState | undefined;
    await eventually(`v${number} is wanted`, 30_000, async () => {
      state = await this.wanted();
      return state.deployment?.number === number;
    });
    if (state === undefined) throw new Error('no state');
    return state;
  }

  /** Says where it is with a deployment; `runs` is the digest of web, when something is said of what runs. */
  async tell(
    number: number,
    phase: TargetPhase,
    more: { runs?: string; error?: string; log?: string; blame?: 'release' | 'place'; revertedTo?: number } = {},
  ): Promise<void> {
    const { runs, ...deployment } = more;
    const services = [{ service: 'web', digest: runs ?? null, containers: 1, health: 'healthy', restarts: 0 }];
    await this.say({
      now: Date.now(),
      deployment: { number, phase, ...deployment },
      ...(runs === undefined ? {} : { services }),
    });
  }

  /** A report of its being there. */
  async say(report: object = { now: Date.now() }): Promise<void> {
    const response = await fetch(`${this.url}/api/v1/agent/report`, {
      method: 'POST',
      headers: { Authorization: this.#authorization, 'Content-Type': 'application/json' },
      body: JSON.stringify(agentReport.parse(report)),
    });
    if (!response.ok) throw new Error(`report: ${response.status} ${await response.text()}`);
  }

  /** Takes a deployment as far as `stable`. */
  async run(number: number): Promise<void> {
    const { deployment } = await this.ordered(number);
    const runs = deployment?.images.web?.digest;
    if (runs === undefined) throw new Error(`v${number} has no image for web`);
    await this.tell(number, 'switching');
    await this.tell(number, 'monitoring', { runs });
    await this.tell(number, 'stable', { runs });
  }
}

/** The token of the line that `berth target enroll` printed. */
export function tokenOf(line: string): string {
  const [token] = /berth_[a-z]+_\w+/.exec(line) ?? [];
  if (token === undefined) throw new Error('no token in the line');
  return token;
}
