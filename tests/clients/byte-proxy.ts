// A TCP proxy before the registry that counts what passes and can stop or cut it at a given byte, so that an upload is
// interrupted in its middle on a fast machine and on a slow one.
import { connect, createServer, type Socket } from 'node:net';

type Direction = 'up' | 'down';

export interface ByteProxy {
  /** `127.0.0.1:PORT`, as clients name a registry. */
  host: string;
  /** Bytes that went from the clients to the registry (`up`) and back (`down`) so far. */
  passed: Record<Direction, number>;
  /** The head of each request, as far as it came in one piece. */
  requests: string[];
  /**
   * Lets this many more bytes pass and then stops all traffic in that direction until `letGo`.
   * Resolves when that point is reached; rejects when it is not within a minute.
   */
  holdAfter: (direction: Direction, bytes: number) => Promise<void>;
  letGo: () => void;
  /** Resets the connection that carries the byte this far on, once. */
  cutAfter: (direction: Direction, bytes: number) => Promise<void>;
  stop: () => Promise<void>;
}

export function startByteProxy(target: { port: number }): Promise<ByteProxy> {
  const passed = { up: 0, down: 0 };
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const held = new Set<Socket>();
  let trap: { action: 'hold' | 'cut'; direction: Direction; at: number; reached: () => void } | undefined;
  let holding: Direction | undefined;

  const setTrap = (action: 'hold' | 'cut', direction: Direction, bytes: number) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`fewer than ${bytes} bytes came ${direction} within a minute`)),
        60_000,
      );
      const reached = () => {
        clearTimeout(timer);
        resolve();
      };
      trap = { action, direction, at: passed[direction] + bytes, reached };
    });

  const forward = (from: Socket, to: Socket, direction: Direction) => {
    from.on('data', (data: Buffer) => {
      passed[direction] += data.length;
      if (direction === 'up' && /^(GET|HEAD|POST|PUT|PATCH|DELETE) /.test(data.subarray(0, 8).toString('latin1'))) {
        requests.push(data.subarray(0, 4096).toString('latin1').split('\r\n\r\n')[0] ?? '');
      }
      if (trap?.direction === direction && passed[direction] >= trap.at) {
        const { action, reached } = trap;
        trap = undefined;
        reached();
        if (action === 'cut') {
          from.resetAndDestroy();
          to.resetAndDestroy();
          return;
        }
        holding = direction;
      }
      const room = to.write(data);
      if (holding === direction) {
        held.add(from);
        from.pause();
      } else if (!room) {
        from.pause();
        to.once('drain', () => {
          if (!held.has(from)) from.resume();
        });
      }
    });
    from.on('end', () => to.end());
    for (const event of ['error', 'close']) {
      from.on(event, () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    sockets.add(from);
  };

  const server = createServer((client) => {
    const registry = connect({ host: '127.0.0.1', port: target.port });
    forward(client, registry, 'up');
    forward(registry, client, 'down');
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      resolve({
        host: `127.0.0.1:${port}`,
        passed,
        requests,
        holdAfter: (direction, bytes) => setTrap('hold', direction, bytes),
        cutAfter: (direction, bytes) => setTrap('cut', direction, bytes),
        letGo() {
          holding = undefined;
          for (const socket of held) socket.resume();
          held.clear();
        },
        stop() {
          for (const socket of sockets) socket.destroy();
          return new Promise((done) => {
            server.close(() => done());
          });
        },
      });
    });
  });
}
