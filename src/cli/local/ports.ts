import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { HostPort } from '../../compose/ports.ts';
import { CommandError } from '../usage.ts';

export interface PortsOptions {
  wanted: readonly HostPort[];
  /** What this set had before, by key: kept while it can be. */
  before: Readonly<Record<string, number>>;
  /** Ports that this set's own containers hold at this moment. */
  held: ReadonlySet<number>;
  /** Ports of others, whether or not something listens there now. */
  taken: ReadonlySet<number>;
}

/** A port of this machine for each that a set asks for: what it had before, else what the file says, else a free one. */
export async function choosePorts({ wanted, before, held, taken }: PortsOptions): Promise<Map<string, number>> {
  const chosen = new Map<string, number>();
  const used = new Set(taken);
  for (const port of wanted) {
    const last = before[port.key];
    const candidates = [...(last === undefined ? [] : [last]), ...port.wanted];
    let found: number | undefined;
    for (const candidate of candidates) {
      if (used.has(candidate)) continue;
      if (!held.has(candidate) && !(await isFree(candidate, port))) continue;
      found = candidate;
      break;
    }
    found ??= await anyFree(port, used);
    used.add(found);
    chosen.set(port.key, found);
  }
  return chosen;
}

const TRIES = 50;

async function anyFree(port: HostPort, used: ReadonlySet<number>): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const found = await bind(0, port);
    if (typeof found === 'number' && !used.has(found)) return found;
  }
  throw new CommandError(`no free port was found on this machine for ${port.key}`);
}

/** One that only the administrator may take is for the engine to try. */
async function isFree(port: number, { address, protocol }: HostPort): Promise<boolean> {
  const result = await bind(port, { address, protocol });
  return typeof result === 'number' || result === 'EACCES' || result === 'EADDRNOTAVAIL';
}

/** @returns the port, or the code of the error */
function bind(port: number, { address, protocol }: Pick<HostPort, 'address' | 'protocol'>): Promise<number | string> {
  const host = address === '' ? '0.0.0.0' : address;
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve('code' in error ? String(error.code) : error.message);
    if (protocol === 'udp') {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      socket.once('error', failed);
      socket.bind({ port, address: host, exclusive: true }, () => {
        const { port: bound } = socket.address();
        socket.close(() => resolve(bound));
      });
      return;
    }
    const server = createServer();
    server.once('error', failed);
    server.listen({ port, host, exclusive: true }, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : port));
    });
  });
}
