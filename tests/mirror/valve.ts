// A proxy before a registry that counts what is asked for, and can hold blobs back in the middle.
import { createServer } from 'node:http';

export interface Valve {
  url: string;
  /** How often each path was asked for with GET. */
  asked: Map<string, number>;
  /** Blobs that are on their way now, and the most there were at once of one digest. */
  mostOfOne: number;
  /** From now on blobs come half, until `open`. */
  close(): void;
  open(): void;
  /** How many blobs stand still in the middle. */
  held(): number;
  /** Answers everything with 429 for so many seconds, as it says; 0 ends it. */
  limit(seconds: number): void;
  stop(): Promise<void>;
}

const PASSED = ['content-type', 'content-length', 'content-range', 'docker-content-digest', 'link', 'www-authenticate'];

export async function startValve(target: string): Promise<Valve> {
  const asked = new Map<string, number>();
  const under = new Map<string, number>();
  let gate: PromiseWithResolvers<void> | undefined;
  let standing = 0;
  let limited = 0;
  const server = createServer(async (request, response) => {
    request.resume();
    const url = request.url ?? '';
    const blob = request.method === 'GET' && url.includes('/blobs/');
    if (request.method === 'GET') asked.set(url, (asked.get(url) ?? 0) + 1);
    if (limited > 0) {
      response.writeHead(429, { 'retry-after': String(limited), 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] }));
      return;
    }
    const headers: Record<string, string> = {};
    for (const name of ['accept', 'authorization', 'range'] as const) {
      const value = request.headers[name];
      if (value !== undefined) headers[name] = value;
    }
    const answer = await fetch(target + url, { method: request.method ?? 'GET', headers, redirect: 'manual' });
    const body = Buffer.from(await answer.arrayBuffer());
    const passed = PASSED.flatMap((name) => {
      const value = answer.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    response.writeHead(answer.status, Object.fromEntries(passed));
    if (!blob || request.method === 'HEAD') {
      response.end(request.method === 'HEAD' ? undefined : body);
      return;
    }
    const many = (under.get(url) ?? 0) + 1;
    under.set(url, many);
    valve.mostOfOne = Math.max(valve.mostOfOne, many);
    response.write(body.subarray(0, body.byteLength / 2));
    if (gate !== undefined) {
      standing++;
      await Promise.race([gate.promise, new Promise((resolve) => request.socket.once('close', resolve))]);
      standing--;
    }
    response.end(body.subarray(body.byteLength / 2));
    under.set(url, (under.get(url) ?? 1) - 1);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const valve: Valve = {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    asked,
    mostOfOne: 0,
    close() {
      gate ??= Promise.withResolvers<void>();
    },
    open() {
      gate?.resolve();
      gate = undefined;
    },
    held: () => standing,
    limit(seconds) {
      limited = seconds;
    },
    async stop() {
      valve.open();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return valve;
}
