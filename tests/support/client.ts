// A client that sends each request once: what a lost answer means is for the test to say. (`Registry` sends again on a
// connection that was closed meanwhile, which appends a chunk twice when the server died after it took it.)
import { type Answer, Connection, NoAnswer, type RequestParts, requestBytes } from './wire.ts';

export class Client {
  readonly #port: number;
  readonly #idle: Connection[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  /** On a connection that is kept alive, one that is free or a new one. @throws NoAnswer, or the socket's error */
  async request(method: string, path: string, parts: RequestParts = {}, timeout = 45_000): Promise<Answer> {
    let connection = this.#idle.pop();
    while (connection !== undefined && !connection.open) connection = this.#idle.pop();
    return this.#send(connection ?? (await Connection.open(this.#port)), method, path, parts, timeout);
  }

  /** On a new connection, which with several workers may be another's. */
  async requestOnNew(method: string, path: string, parts: RequestParts = {}, timeout = 45_000): Promise<Answer> {
    const connection = await Connection.open(this.#port);
    const headers = { ...parts.headers, Connection: 'close' };
    return this.#send(connection, method, path, { ...parts, headers }, timeout);
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  async #send(
    connection: Connection,
    method: string,
    path: string,
    parts: RequestParts,
    timeout: number,
  ): Promise<Answer> {
    let kept = false;
    try {
      connection.send(requestBytes(`127.0.0.1:${this.#port}`, method, path, parts));
      const answer = await connection.answer(method, timeout);
      kept = connection.open && parts.headers?.Connection !== 'close' && answer.headers.get('connection') !== 'close';
      if (kept) this.#idle.push(connection);
      return answer;
    } finally {
      if (!kept) connection.close();
    }
  }
}

/** Whether a request failed because nobody was there to answer, or died over it. */
export function isLost(error: unknown): boolean {
  if (error instanceof NoAnswer) return error.why === 'closed';
  return error instanceof Error && 'code' in error && ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(`${error.code}`);
}

/** A request that changes nothing, asked again while workers are being replaced. */
export async function persist(client: Client, method: 'GET' | 'HEAD', path: string, within = 10_000): Promise<Answer> {
  const deadline = Date.now() + within;
  for (;;) {
    try {
      return await client.request(method, path);
    } catch (error) {
      if (!isLost(error) || Date.now() > deadline) throw error;
      await Bun.sleep(20);
    }
  }
}
