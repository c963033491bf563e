// A proxy before a real registry that counts what is asked for, and is slow, limited, broken, damaging or gone as a test wants.
import { createServer, type Server, type ServerResponse } from 'node:http';

const PASSED = ['content-type', 'content-length', 'content-range', 'docker-content-digest', 'www-authenticate'];
const PIECE = 65_536;

export class CountingProxy {
  /** `GET /v2/…`, each request that got here. */
  readonly asked: string[] = [];
  /** Those of them that were answered with what they wanted. */
  readonly served: string[] = [];
  /** Answers everything with this status, and says when to come again. */
  refusal: { status: number; retryAfter?: number } | undefined;
  /** What a piece of a blob waits for. */
  piece: () => Promise<unknown> = async () => {};
  /** Changes one byte of each blob on its way. */
  damage = false;
  readonly #target: string;
  #server: Server | undefined;
  #port = 0;

  private constructor(target: string) {
    this.#target = target;
  }

  static async start(target: string): Promise<CountingProxy> {
    const proxy = new CountingProxy(target);
    await proxy.listen();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  count(line: string): number {
    return this.served.filter((served) => served === line).length;
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      request.resume();
      this.asked.push(`${request.method} ${request.url}`);
      void this.#answer(request.method ?? 'GET', request.url ?? '', request.headers, response).catch(() =>
        response.destroy(),
      );
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    const address = server.address();
    this.#port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    this.#server = server;
  }

  /** Nobody listens any more, until `listen`. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  async #answer(
    method: string,
    url: string,
    asked: Record<string, string | string[] | undefined>,
    response: ServerResponse,
  ): Promise<void> {
    if (this.refusal !== undefined) {
      const { status, retryAfter } = this.refusal;
      response.writeHead(status, {
        'content-type': 'application/json',
        ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      });
      response.end(JSON.stringify({ errors: [{ code: 'NO', message: 'as the test wants' }] }));
      return;
    }
    const headers = Object.fromEntries(
      ['accept', 'authorization', 'range'].flatMap((name) => (asked[name] ? [[name, String(asked[name])]] : [])),
    );
    const answer = await fetch(this.#target + url, { method, headers, redirect: 'manual' });
    const passed = PASSED.flatMap((name) => (answer.headers.get(name) ? [[name, answer.headers.get(name) ?? '']] : []));
    response.writeHead(answer.status, Object.fromEntries(passed));
    if (answer.ok) this.served.push(`${method} ${url}`);
    const body = Buffer.from(await answer.arrayBuffer());
    if (method === 'HEAD') {
      response.end();
      return;
    }
    const isBlob = answer.ok && url.includes('/blobs/');
    if (isBlob && this.damage) body[body.byteLength - 1] = (body[body.byteLength - 1] ?? 0) ^ 1;
    for (let at = 0; at < body.byteLength && !response.destroyed; at += PIECE) {
      if (isBlob) await this.piece();
      response.write(body.subarray(at, at + PIECE));
    }
    response.end();
  }
}
