// A registry on a bad day: a proxy before a real one that answers some requests with 429 and 500, and cuts some blobs in the middle.
import { createServer, type Server } from 'node:http';

export interface FlakyProxy {
  url: string;
  /** What was done to requests. */
  troubles: { limited: number; failed: number; cut: number };
  /** Answers everything with 429 for so many seconds from now on. */
  limit(seconds: number): void;
  stop(): Promise<void>;
}

export async function startFlakyProxy(target: string): Promise<FlakyProxy> {
  const troubles = { limited: 0, failed: 0, cut: 0 };
  const met = new Map<string, number>();
  let limited: number | undefined;
  const server: Server = createServer(async (request, response) => {
    request.resume();
    const url = request.url ?? '';
    const key = `${request.method} ${url}`;
    const times = (met.get(key) ?? 0) + 1;
    met.set(key, times);
    if (limited !== undefined || (times === 1 && met.size % 4 === 0)) {
      troubles.limited++;
      response.writeHead(429, { 'retry-after': String(limited ?? 0), 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] }));
      return;
    }
    if (times === 1 && met.size % 5 === 0) {
      troubles.failed++;
      response.writeHead(500).end('a stack trace');
      return;
    }
    const headers: Record<string, string> = {};
    for (const name of ['accept', 'authorization', 'range'] as const) {
      const value = request.headers[name];
      if (value !== undefined) headers[name] = value;
    }
    const answer = await fetch(target + url, { method: request.method ?? 'GET', headers, redirect: 'manual' });
    const body = Buffer.from(await answer.arrayBuffer());
    const passed: Record<string, string> = {};
    for (const name of [
      'content-type',
      'content-length',
      'content-range',
      'docker-content-digest',
      'link',
      'www-authenticate',
    ]) {
      const value = answer.headers.get(name);
      if (value !== null) passed[name] = value;
    }
    response.writeHead(answer.status, passed);
    if (
      request.method === 'GET' &&
      url.includes('/blobs/') &&
      answer.status < 300 &&
      times <= 2 &&
      body.byteLength > 10_000
    ) {
      troubles.cut++;
      response.write(body.subarray(0, body.byteLength / 2), () => setTimeout(() => request.socket.destroy(), 20));
      return;
    }
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    troubles,
    limit(seconds) {
      limited = seconds;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
