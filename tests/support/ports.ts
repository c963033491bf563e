// Ports for the servers of a test.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Below those that Linux and macOS give to outgoing connections, so that none of these takes one between two starts. */
const FIRST = 22_000;
const COUNT = 10_000;
/** A process that holds the UDP port so far below has the TCP port; whatever way it ends, its hold ends with it. */
const CLAIM_BELOW = 10_000;
const TRIES = 1_000;

/** A port of 127.0.0.1 on which nothing listens, and that nothing else in this or another process of the tests is given. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if ((await claim(port - CLAIM_BELOW)) && (await nothingListens(port))) return port;
  }
  throw new Error(`no free port from ${FIRST} to ${FIRST + COUNT - 1}, in ${TRIES} tries`);
}

function claim(udpPort: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4').unref();
    socket.once('error', () => resolve(false));
    socket.bind({ port: udpPort, address: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
}

function nothingListens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}
