// A real receiver of webhooks on loopback that can be told to fail, to hang, to drop the connection, and to go away and come back.
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { freePort } from '../support/ports.ts';

export interface Received {
  headers: IncomingHttpHeaders;
  id: string;
  body: string;
}

/** How a request is answered: with a status, by none at all, or by the end of the connection. */
export type Manner = number | 'hang' | 'drop';

export class Receiver {
  readonly received: Received[] = [];
  /** For the next requests; then `usual`. */
  next: Manner[] = [];
  usual: Manner = 204;
  /** The body of an answer. */
  answer = '';
  #server: Server | undefined;
  #hanging: ServerResponse[] = [];

  private constructor(readonly port: number) {}

  static async start(): Promise<Receiver> {
    const receiver = new Receiver(await freePort());
    await receiver.up();
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** What the events were about, as often as they came. */
  get subjects(): string[] {
    return this.received.map(({ body }) => (JSON.parse(body) as { data: { subject: string } }).data.subject);
  }

  up(): Promise<void> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        this.received.push({ headers: request.headers, id: String(request.headers['webhook-id']), body });
        const manner = this.next.shift() ?? this.usual;
        if (manner === 'hang') this.#hanging.push(response);
        else if (manner === 'drop') request.socket.destroy();
        else response.writeHead(manner).end(this.answer);
      });
    });
    this.#server = server;
    return new Promise((resolve) => server.listen(this.port, '127.0.0.1', () => resolve()));
  }

  async down(): Promise<void> {
    for (const response of this.#hanging.splice(0)) response.socket?.destroy();
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  }
}
