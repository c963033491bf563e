// Many large uploads at once, over raw sockets: a client that costs little and can stop in the middle.
import { RequestFailed, startUpload } from './distribution.ts';

const MIB = 1024 * 1024;
/** Sent again and again; shared by all connections. */
const block = new Uint8Array(256 * 1024).fill(7);

export interface FloodOptions {
  server: string;
  repository: string;
  uploads: number;
  /** What each PATCH says in its Content-Length. */
  declared: number;
  /** The flood ends when so many bytes have been handed to the kernel in all … */
  budget: number;
  /** … or after so many ms. */
  limit: number;
}

/**
 * Starts the uploads, sends as fast as the server takes it until the budget or the time is used up, then cuts every
 * connection. Calls `sample` four times a second meanwhile. Returns bytes sent and the seconds it took.
 * Throws when the server answers or closes a connection before that.
 */
export async function flood(options: FloodOptions, sample: () => void): Promise<{ sent: number; seconds: number }> {
  const { hostname, port } = new URL(options.server);
  const locations = await Promise.all(
    Array.from({ length: options.uploads }, () => startUpload(options.server, options.repository)),
  );
  let sent = 0;
  let done = false;
  let failure: Error | undefined;
  const fail = (reason: string) => {
    if (!done) failure ??= new RequestFailed(`an upload was cut short: ${reason}`);
  };
  const perUpload = Math.min(Math.floor(options.budget / options.uploads), options.declared - MIB);
  const connections = await Promise.all(
    locations.map((location) => {
      const { pathname, search } = new URL(location);
      let own = 0;
      let head = Buffer.from(
        `PATCH ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n` +
          `Content-Type: application/octet-stream\r\nContent-Length: ${options.declared}\r\n\r\n`,
      );
      const send = (socket: Bun.Socket<undefined>) => {
        while (!done) {
          if (head.length > 0) {
            const taken = socket.write(head);
            head = head.subarray(Math.max(0, taken));
            if (head.length > 0) return;
          }
          const left = perUpload - own;
          if (left <= 0) return;
          const taken = socket.write(block, 0, Math.min(left, block.length));
          if (taken <= 0) return; // the kernel's buffer is full: `drain` goes on
          own += taken;
          sent += taken;
        }
      };
      return Bun.connect({
        hostname,
        port: Number(port),
        socket: {
          open: send,
          drain: send,
          data: (_, bytes) => fail(Buffer.from(bytes).toString('latin1').slice(0, 200)),
          close: () => fail('closed by the server'),
          error: (_, error) => fail(error.message),
        },
      });
    }),
  );
  const started = performance.now();
  try {
    while (sent < perUpload * options.uploads && performance.now() - started < options.limit && failure === undefined) {
      sample();
      await Bun.sleep(250);
    }
    sample();
  } finally {
    done = true;
    for (const connection of connections) connection.terminate();
  }
  if (failure !== undefined) throw failure;
  return { sent, seconds: (performance.now() - started) / 1000 };
}
