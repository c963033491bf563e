import { judgeBody } from './address.ts';
import { judgeLocation, trialSizes } from './judge.ts';
import { proxyLines } from './proxies.ts';
import { quotaRefusal } from './quota-refusal.ts';
import { checkOf, type Registry } from './registry-checks.ts';
import { type Check, failed, ok, skipped, warning } from './result.ts';
import { type Answer, answered, type NoAnswer, noAnswer, type Wire, zeros } from './wire.ts';

const MIB = 1024 * 1024;
/** What goes out before the pause; more than a server keeps to itself before it writes. */
const BEFORE_PAUSE_BYTES = MIB;
/** How long those bytes may take to arrive. */
const ARRIVE_WITHIN_MS = 5_000;
/** A line slower than this is no fault of a proxy's. */
const SLOWEST_BYTES_PER_MS = 256;

/** Begins an upload. Every upload that is begun here is to be cancelled with `cancel`. */
export class TrialUploads {
  readonly #open = new Set<string>();

  constructor(
    readonly wire: Wire,
    readonly repository: string,
  ) {}

  /** The path where it goes on, and the check of the `Location` that named it. */
  async begin(): Promise<{ path: string | undefined; check: Check }> {
    const answer = await this.wire.ask('POST', `/v2/${this.repository}/blobs/uploads/`, { body: new Uint8Array(0) });
    if (!answered(answer))
      return { path: undefined, check: failed('location', `no upload can be begun (${answer.message})`) };
    if (answer.status !== 202) {
      return {
        path: undefined,
        check: failed(
          'location',
          `no upload can be begun in ${this.repository}: status ${answer.status}${saidBy(answer)}`,
        ),
      };
    }
    const location = answer.headers.get('location');
    const id = answer.headers.get('docker-upload-uuid');
    const judged = judgeLocation(this.wire.origin, location, this.repository, id);
    const lines = proxyLines('location', this.wire.proxy);
    switch (judged.kind) {
      case 'right':
        this.#open.add(judged.path);
        return { path: judged.path, check: ok('location', `uploads go on at ${location}`) };
      case 'elsewhere':
        this.#open.add(judged.path);
        return {
          path: judged.path,
          check: failed(
            'location',
            `uploads are sent to ${judged.origin} instead of ${this.wire.origin}: pushes fail, or send their bytes there. Let Location pass as it is:`,
            lines,
          ),
        };
      case 'mangled':
        if (id !== null) this.#open.add(`/v2/${this.repository}/blobs/uploads/${id}`);
        return {
          path: undefined,
          check: failed(
            'location',
            `uploads are sent to ${judged.found.slice(0, 200)}, which is not where this one is: the path was changed. Serve Berth at the root of a name of its own, and let Location pass as it is:`,
            lines,
          ),
        };
      case 'missing':
        return {
          path: undefined,
          check: failed('location', 'the header Location is taken away on the way: no push works', lines),
        };
    }
  }

  async cancel(path: string): Promise<void> {
    this.#open.delete(path);
    await this.wire.ask('DELETE', path);
  }

  /** An upload that became a blob. */
  ended(path: string): void {
    this.#open.delete(path);
  }

  async cancelAll(): Promise<void> {
    for (const path of this.#open) await this.cancel(path);
  }
}

function saidBy({ bytes }: Answer): string {
  const text = new TextDecoder().decode(bytes).trim().slice(0, 200);
  return text.startsWith('{') ? `, ${text}` : '';
}

/**
 * Sends bodies of growing size up to the first that does not come through: chunked as Docker does, and the largest also with its
 * length, as others do: a proxy may look at either alone.
 */
export async function checkBodies(
  uploads: TrialUploads,
  most: number,
  onSent: (bytes: number, size: number) => void,
): Promise<Check> {
  const { wire } = uploads;
  const trials = [...trialSizes(most).map((size) => ({ size, announced: false })), { size: most, announced: true }];
  for (const { size, announced } of trials) {
    const { path, check } = await uploads.begin();
    if (path === undefined) return check;
    const answer = await wire.ask('PATCH', path, {
      headers: {
        'Content-Type': 'application/octet-stream',
        ...(announced ? { 'Content-Length': String(size) } : {}),
      },
      body: zeros(size, (sent) => onSent(sent, size)),
      within: 60_000 + size / SLOWEST_BYTES_PER_MS,
    });
    await uploads.cancel(path);
    if (!answered(answer) || answer.status !== 202) return bodyCheck(wire, size, answer);
  }
  return checkOf(wire, 'body', judgeBody(most, { kind: 'arrived' }));
}

function bodyCheck(wire: Wire, size: number, answer: Answer | NoAnswer): Check {
  if (!answered(answer)) return checkOf(wire, 'body', judgeBody(size, { kind: answer.late ? 'slow' : 'cut' }));
  const full = quotaRefusal(answer);
  if (full !== undefined) return skipped('body', `${size / MIB} MiB are more than the quota leaves: ${full}`);
  const server = answer.headers.get('server');
  const check = checkOf(wire, 'body', judgeBody(size, { kind: 'status', status: answer.status, server }));
  if (answer.status === 413) return { ...check, lines: proxyLines('body limit', wire.proxy) };
  return { ...check, seen: `a body of ${size / MIB} MiB was answered with status ${answer.status}${saidBy(answer)}` };
}

/** A body whose end waits for `release`. */
function pausedBody(): { body: ReadableStream<Uint8Array>; release: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (!sent) {
        sent = true;
        return controller.enqueue(new Uint8Array(BEFORE_PAUSE_BYTES));
      }
      await promise;
      controller.enqueue(new Uint8Array(1));
      controller.close();
    },
  });
  return { body, release: () => resolve() };
}

/**
 * Sends some bytes, then nothing for a while, then the rest. Meanwhile it asks on another connection what has arrived: a proxy that
 * keeps requests back until they are whole lets nothing through.
 */
export async function checkPausedUpload(uploads: TrialUploads, idleMs: number, registry: Registry): Promise<Check[]> {
  const { wire } = uploads;
  const { path, check } = await uploads.begin();
  if (path === undefined) return [check];
  const { body, release } = pausedBody();
  const started = Date.now();
  let ended = false;
  const answering = wire
    .ask('PATCH', path, {
      headers: { 'Content-Type': 'application/octet-stream' },
      body,
      within: idleMs + 60_000,
    })
    .finally(() => {
      ended = true;
    });
  const isEnded = () => ended;
  let arrived = false;
  while (!arrived && !isEnded() && Date.now() - started < ARRIVE_WITHIN_MS) {
    await Bun.sleep(200);
    arrived = (await offsetOf(wire, path)) > 0;
  }
  const buffering = arrived
    ? ok('request buffering', 'bytes arrive while they are sent')
    : registry.berth === undefined
      ? skipped('request buffering', 'a registry that is not a Berth may not say what has arrived before the end')
      : warning(
          'request buffering',
          'nothing arrives before the whole body was sent: the proxy writes each layer to its own disk first. Let it pass bytes on as they come:',
          proxyLines('request buffering', wire.proxy),
        );
  while (!isEnded() && Date.now() - started < idleMs) await Bun.sleep(Math.min(200, idleMs));
  const cutAfter = isEnded() ? Math.round((Date.now() - started) / 1_000) : undefined;
  release();
  const answer = await answering;
  await uploads.cancel(path);
  const seconds = Math.round(idleMs / 1_000);
  if (answered(answer) && answer.status === 202)
    return [buffering, ok('idle upload', `an upload may pause for ${seconds} s`)];
  const when = cutAfter === undefined ? `after a pause of ${seconds} s` : `${cutAfter} s into a pause`;
  const how = answered(answer) ? `ended with status ${answer.status}` : `was cut off (${answer.message})`;
  const idle = failed(
    'idle upload',
    `an upload ${how} ${when}: slow clients lose their pushes. Give them time:`,
    proxyLines('idle upload', wire.proxy),
  );
  // Whether bytes arrive could not be seen in an upload that ended at once.
  return arrived || cutAfter === undefined ? [buffering, idle] : [idle];
}

/** How many bytes an upload has, as `Range: 0-N` says it: 0 for none or one. */
async function offsetOf(wire: Wire, path: string): Promise<number> {
  const answer = await wire.ask('GET', path);
  return answered(answer) ? Number(/^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get('range') ?? '')?.[1] ?? 0) : 0;
}

/** An answer that begins at once, pauses and ends. */
export async function checkPausedAnswer(wire: Wire, idleMs: number): Promise<Check[]> {
  const seconds = Math.min(200, Math.max(1, Math.round(idleMs / 1_000)));
  const started = Date.now();
  let first: number | undefined;
  let text = '';
  let cut: string | undefined;
  try {
    const response = await wire.open('GET', `/api/v1/address-check/pause?seconds=${seconds}`, {
      within: seconds * 1_000 + 30_000,
    });
    if (response.status !== 200) {
      const body = await response.text();
      if (response.status < 500)
        return [
          skipped(
            'response buffering',
            `the server has no answer to try it with (status ${response.status}, ${body.slice(0, 100)})`,
          ),
        ];
      cut = `status ${response.status}`;
    } else {
      for await (const piece of response.body ?? []) {
        first ??= Date.now() - started;
        text += new TextDecoder().decode(piece);
      }
      if (!text.includes('"pausing":false')) cut = 'the connection was closed';
    }
  } catch (error) {
    cut = noAnswer(error).message;
  }
  const took = Math.round((Date.now() - started) / 1_000);
  if (cut !== undefined) {
    return [
      failed(
        'slow answer',
        `an answer that pauses for ${seconds} s was cut off after ${took} s (${cut}): large pushes fail at their end, and agents lose their connection. Give the server time:`,
        proxyLines('slow answer', wire.proxy),
      ),
    ];
  }
  const slow = ok('slow answer', `an answer may pause for ${seconds} s`);
  // Half of the pause: no line is that slow by itself, as the small answers before have shown.
  if (first !== undefined && first < seconds * 500)
    return [ok('response buffering', 'answers arrive as they are sent'), slow];
  return [
    warning(
      'response buffering',
      'answers are held back until they are whole: streams of events stand still. Let the proxy pass bytes on as they come:',
      proxyLines('response buffering', wire.proxy),
    ),
    slow,
  ];
}
