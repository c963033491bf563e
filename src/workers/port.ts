/** Another program listens there. */
export class PortInUseError extends Error {
  override readonly name = 'PortInUseError';
}

const WAIT_MS = 2_000;

/**
 * Makes sure that nothing listens on the port, by listening there alone for a moment: workers share the port, so
 * their own listening would not fail beside another Berth. Waits a little for the workers of a killed predecessor to go.
 *
 * @param port 0 picks a free one
 * @param flag what gave it
 * @returns the address that works here (`::` falls back to 0.0.0.0 without IPv6) and the port
 * @throws PortInUseError
 */
export async function choosePort(host: string, port: number, flag = '--port'): Promise<{ host: string; port: number }> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    try {
      return { host, port: probe(host, port) };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (host === '::' && code !== 'EADDRINUSE') return choosePort('0.0.0.0', port, flag);
      if (code !== 'EADDRINUSE') {
        throw new PortInUseError(
          `cannot listen on ${host} port ${port}: ${error instanceof Error ? error.message : 'unknown error'}`,
        );
      }
      if (Date.now() > deadline) {
        throw new PortInUseError(`port ${port} is taken by another program; stop it, or give another ${flag}`);
      }
      await Bun.sleep(50);
    }
  }
}

function probe(hostname: string, port: number): number {
  const listener = Bun.listen({ hostname, port, exclusive: true, socket: { data() {} } });
  const chosen = listener.port;
  listener.stop(true);
  return chosen;
}
