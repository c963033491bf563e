import { z } from 'zod';
import { type Engine, EngineError, EngineUnreachableError } from './engine.ts';
import { DeploymentFailure } from './failure.ts';
import type { RegistryLogin } from './registry-login.ts';

/** Bytes that have arrived, of those that are known to come. */
export interface Pulled {
  bytes: number;
  total: number;
}

export interface PullOptions {
  engine: Engine;
  login: RegistryLogin;
  /** How long nothing may arrive before the pull is given up, in ms. */
  progressWithinMs: number;
  onProgress: (pulled: Pulled) => void;
  signal: AbortSignal;
}

const AT_A_TIME = 3;
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 15_000;
/** Trying again changes nothing. */
const FINAL =
  /no space left|disk quota|unauthorized|authentication required|denied|manifest unknown|not found|no matching manifest|no such image|invalid reference|unsupported|does not match|failed to verify|read-only file system/i;

/**
 * Brings every image here that is not here yet, by its digest. What fails for want of a registry is tried again, with back-off,
 * until nothing has arrived for `progressWithinMs`.
 *
 * @throws DeploymentFailure (of the place); EngineUnreachableError; what `signal` was aborted with
 */
export async function pullImages(images: readonly string[], options: PullOptions): Promise<void> {
  const layers = new Map<string, Pulled>();
  const deadline = new Deadline(options.progressWithinMs);
  const waiting = [...images];
  const work = async () => {
    for (let image = waiting.shift(); image !== undefined; image = waiting.shift()) {
      await pullImage(image, layers, deadline, options);
    }
  };
  const results = await Promise.allSettled(Array.from({ length: AT_A_TIME }, work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

class Deadline {
  #at: number;

  constructor(readonly withinMs: number) {
    this.#at = performance.now() + withinMs;
  }

  /** Something got on. */
  move(): void {
    this.#at = performance.now() + this.withinMs;
  }

  get leftMs(): number {
    return this.#at - performance.now();
  }
}

async function pullImage(
  image: string,
  layers: Map<string, Pulled>,
  deadline: Deadline,
  options: PullOptions,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    options.signal.throwIfAborted();
    if ((await options.engine.image(image)) !== undefined) return;
    const error = await attempt(image, layers, deadline, options);
    if (error === undefined) return;
    const wait = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tries, 10)) * (0.75 + Math.random() / 2);
    if (FINAL.test(error) || deadline.leftMs < wait) {
      throw new DeploymentFailure(`${image} could not be pulled: ${error.slice(0, 1_000)}`, 'place');
    }
    await sleep(wait, options.signal);
  }
}

const progressLine = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
});

/** @returns what went wrong, undefined when the image is here */
async function attempt(
  image: string,
  layers: Map<string, Pulled>,
  deadline: Deadline,
  { engine, login, onProgress, signal }: PullOptions,
): Promise<string | undefined> {
  const stalled = new AbortController();
  const either = AbortSignal.any([signal, stalled.signal]);
  let timer = setTimeout(() => stalled.abort(), Math.max(deadline.leftMs, 0));
  try {
    for await (const value of await engine.pull(image, login.for(image), either)) {
      const line = progressLine.safeParse(value);
      if (!line.success) continue;
      if (line.data.error !== undefined) return line.data.error;
      if (!note(image, layers, line.data)) continue;
      deadline.move();
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(), Math.max(deadline.leftMs, 0));
      onProgress(sum(layers));
    }
    return (await engine.image(image)) === undefined ? 'the engine ended the pull without the image' : undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (stalled.signal.aborted) return `nothing arrived for ${Math.round(deadline.withinMs / 1000)} s`;
    if (error instanceof EngineError) return error.message;
    if (error instanceof EngineUnreachableError) throw error;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** @returns whether something got on */
function note(image: string, layers: Map<string, Pulled>, line: z.infer<typeof progressLine>): boolean {
  const { id, status, progressDetail } = line;
  if (id === undefined) return false;
  const key = `${image} ${id}`;
  const known = layers.get(key);
  if (status === 'Downloading' && progressDetail?.current !== undefined) {
    const total = Math.max(progressDetail.total ?? 0, known?.total ?? 0, progressDetail.current);
    if (known?.bytes === progressDetail.current) return false;
    layers.set(key, { bytes: progressDetail.current, total });
    return true;
  }
  if (known !== undefined && (status === 'Download complete' || status === 'Pull complete')) known.bytes = known.total;
  return status !== 'Waiting';
}

function sum(layers: ReadonlyMap<string, Pulled>): Pulled {
  let bytes = 0;
  let total = 0;
  for (const layer of layers.values()) {
    bytes += layer.bytes;
    total += layer.total;
  }
  return { bytes, total };
}

/** @throws what the signal was aborted with */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
  signal.throwIfAborted();
}
