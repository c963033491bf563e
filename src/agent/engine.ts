import { z } from 'zod';
import type { EngineAddress } from './engine-address.ts';

/** Nothing answers at the engine's address, or it went away in the middle. Says nothing of what runs. */
export class EngineUnreachableError extends Error {
  override readonly name = 'EngineUnreachableError';
}

/** The engine refused; the message is its own. */
export class EngineError extends Error {
  override readonly name = 'EngineError';

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const OLDEST_API = 41;
/** The newest minor version of the API whose answers this file was written for; an engine that is newer still serves it. */
const NEWEST_API = 52;
const ANSWER_WITHIN_MS = 30_000;
/** An engine waits for a container's stop_grace_period before it answers. */
const STOPPED_WITHIN_MS = 15 * 60_000;

const listed = z.array(z.object({ Id: z.string() }));
const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Created: z.string(),
  Image: z.string(),
  RestartCount: z.number().default(0),
  Config: z.object({
    Image: z.string(),
    Tty: z.boolean().default(false),
    Labels: z.record(z.string(), z.string()).nullable().default({}),
  }),
  HostConfig: z.object({ RestartPolicy: z.object({ Name: z.string() }).default({ Name: '' }) }),
  State: z.object({
    Status: z.string(),
    Running: z.boolean(),
    Restarting: z.boolean().default(false),
    ExitCode: z.number(),
    Error: z.string().default(''),
    StartedAt: z.string(),
    Health: z
      .object({
        Status: z.string(),
        Log: z
          .array(z.object({ Output: z.string() }))
          .nullable()
          .optional(),
      })
      .nullable()
      .optional(),
  }),
  Mounts: z
    .array(z.object({ Type: z.string().default(''), Name: z.string().optional(), RW: z.boolean().default(true) }))
    .nullable()
    .default([]),
  NetworkSettings: z.object({
    Networks: z
      .record(z.string(), z.object({ IPAddress: z.string().default('') }))
      .nullable()
      .default({}),
  }),
});
export type InspectedContainer = z.infer<typeof inspected>;

const image = z.object({ Id: z.string(), RepoDigests: z.array(z.string()).nullable().default([]) });
export type EngineImage = z.infer<typeof image>;
const version = z.object({ Version: z.string(), Components: z.array(z.object({ Name: z.string() })).optional() });
const problem = z.object({ message: z.string() });

interface CallOptions {
  query?: Record<string, string>;
  headers?: Record<string, string>;
  withinMs?: number;
  signal?: AbortSignal;
}

/**
 * The part of the Docker Engine API that the agent uses, from 1.41 (Docker 20.10) on; the version is negotiated. It needs
 * `_ping`, `version`, `events`, `containers` (list, inspect, logs, start, stop, wait, delete) and `images` (create, list, inspect, delete).
 * Podman's socket serves them too.
 */
export class Engine {
  #prefix: string | undefined;
  #lostAt = Number.NEGATIVE_INFINITY;

  constructor(readonly address: EngineAddress) {}

  /** It does not answer, or a stream of it ended. */
  lost(): void {
    this.#lostAt = performance.now();
  }

  wasLostWithin(ms: number): boolean {
    return performance.now() - this.#lostAt < ms;
  }

  /** @throws EngineUnreachableError; EngineError for an engine that is too old */
  async ping(): Promise<void> {
    this.#prefix = undefined;
    await this.#versionPrefix();
  }

  /** As in `Docker 26.1.5` or `Podman Engine 4.3.1`. */
  async describe(): Promise<string> {
    const found = await this.#json(version, 'GET', '/version');
    const component = found.Components?.[0]?.Name ?? 'Engine';
    return `${component === 'Engine' ? 'Docker' : component} ${found.Version}`;
  }

  /** Every container that has these labels (`name=value`), running or not. One that goes meanwhile is left out. */
  async containers(labels: readonly string[]): Promise<InspectedContainer[]> {
    const query = { all: '1', filters: JSON.stringify({ label: labels }) };
    const found = await this.#json(listed, 'GET', '/containers/json', { query });
    const all = await Promise.all(found.map(({ Id }) => this.container(Id)));
    return all.filter((container) => container !== undefined);
  }

  /** By id or name; undefined when there is none. */
  async container(id: string): Promise<InspectedContainer | undefined> {
    return this.#unlessMissing(this.#json(inspected, 'GET', `/containers/${encodeURIComponent(id)}/json`));
  }

  /** The last lines that a container wrote, of both streams. */
  async logs(container: InspectedContainer, lines: number): Promise<string> {
    const query = { stdout: '1', stderr: '1', tail: String(lines) };
    const response = await this.#send('GET', `/containers/${container.Id}/logs`, { query });
    const bytes = await bodyOf(response);
    return container.Config.Tty ? new TextDecoder().decode(bytes) : demultiplexed(bytes);
  }

  async start(id: string): Promise<void> {
    await this.#send('POST', `/containers/${id}/start`);
  }

  /** With its stop signal and grace period; SIGKILL after that. One that is gone or stopped already is fine. */
  async stop(id: string): Promise<void> {
    await this.#unlessMissing(this.#send('POST', `/containers/${id}/stop`, { withinMs: STOPPED_WITHIN_MS }));
  }

  /** Its volumes stay. One that is gone already is fine. */
  async remove(id: string): Promise<void> {
    try {
      await this.#unlessMissing(this.#send('DELETE', `/containers/${id}`, { query: { force: '1' } }));
    } catch (error) {
      // Somebody else removes it at this moment.
      if (!(error instanceof EngineError && error.status === 409)) throw error;
    }
  }

  async image(reference: string): Promise<EngineImage | undefined> {
    return this.#unlessMissing(this.#json(image, 'GET', `/images/${reference}/json`));
  }

  images(): Promise<EngineImage[]> {
    return this.#json(z.array(image), 'GET', '/images/json');
  }

  /** Forgets one name of an image, and the image when that was the last. @returns false when a container still uses it */
  async removeImage(reference: string): Promise<boolean> {
    try {
      await this.#unlessMissing(this.#send('DELETE', `/images/${reference}`));
      return true;
    } catch (error) {
      if (error instanceof EngineError && error.status === 409) return false;
      throw error;
    }
  }

  /** The progress of a pull as the engine tells it: JSON values, one a line. The stream ends when the pull has. */
  async pull(
    reference: string,
    authorization: string | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<unknown>> {
    const headers = authorization === undefined ? {} : { 'X-Registry-Auth': authorization };
    const response = await this.#send('POST', '/images/create', { query: { fromImage: reference }, headers, signal });
    return jsonLines(response);
  }

  /** What happens to containers with these labels, until the engine goes away or `signal` ends it. */
  async *events(labels: readonly string[], signal: AbortSignal): AsyncIterable<unknown> {
    const query = { filters: JSON.stringify({ type: ['container'], label: labels }) };
    yield* jsonLines(await this.#send('GET', '/events', { query, signal }));
  }

  async #versionPrefix(): Promise<string> {
    if (this.#prefix !== undefined) return this.#prefix;
    const response = await this.#fetch('GET', '/_ping', {});
    await response.arrayBuffer();
    const theirs = Number(/^1\.(\d+)$/.exec(response.headers.get('api-version') ?? '')?.[1]);
    if (!(theirs >= OLDEST_API)) {
      throw new EngineError(
        400,
        `the engine at ${this.address.name} has no API 1.${OLDEST_API}; Berth needs Docker 20.10 or newer`,
      );
    }
    this.#prefix = `/v1.${Math.min(theirs, NEWEST_API)}`;
    return this.#prefix;
  }

  async #json<T>(schema: z.ZodType<T>, method: string, path: string, options: CallOptions = {}): Promise<T> {
    const response = await this.#send(method, path, options);
    const result = schema.safeParse(JSON.parse(new TextDecoder().decode(await bodyOf(response))));
    if (!result.success) {
      throw new EngineError(200, `${path}: not an answer of the Engine API: ${result.error.issues[0]?.message ?? ''}`);
    }
    return result.data;
  }

  async #send(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const response = await this.#fetch(method, (await this.#versionPrefix()) + path, options);
    if (response.ok || response.status === 304) return response;
    const text = new TextDecoder().decode(await bodyOf(response));
    const known = problem.safeParse(parsed(text));
    throw new EngineError(response.status, known.success ? known.data.message : `status ${response.status}`);
  }

  async #fetch(method: string, path: string, options: CallOptions): Promise<Response> {
    const { unix, tls, base, name } = this.address;
    const query = options.query === undefined ? '' : `?${new URLSearchParams(options.query)}`;
    try {
      return await fetch(base + path + query, {
        method,
        headers: options.headers ?? {},
        signal: options.signal ?? AbortSignal.timeout(options.withinMs ?? ANSWER_WITHIN_MS),
        ...(unix === undefined ? {} : { unix }),
        ...(tls === undefined ? {} : { tls }),
      });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      this.lost();
      throw unreachable(error, name);
    }
  }

  async #unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  }
}

function unreachable(error: unknown, name = 'the engine'): EngineUnreachableError {
  const why = error instanceof Error ? error.message : 'unknown error';
  return new EngineUnreachableError(`no container engine answers at ${name} (${why}); is it running?`, {
    cause: error,
  });
}

async function bodyOf(response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw unreachable(error);
  }
}

async function* jsonLines(response: Response): AsyncIterable<unknown> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') yield parsed(line);
    }
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw unreachable(error);
  }
  if (rest.trim() !== '') yield parsed(rest);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The engine sends both streams in frames: one byte for the stream, three of nothing, four for the length. */
function demultiplexed(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4);
    parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return new TextDecoder().decode(Buffer.concat(parts));
}
