// Where a registry's log-in goes, and what its token server may do to who waits.
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { digestOf } from '../oci/digest.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { parseRegistryAddress } from './registry-address.ts';
import { RegistryClient } from './registry-client.ts';
import { UpstreamError } from './upstream-error.ts';

const NAME = parseRepositoryName('team/app');
const DIGEST = digestOf(new TextEncoder().encode('a blob'));

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let servers: Server[] = [];
let sentTo: string[] = [];
beforeEach(() => {
  servers = [];
  sentTo = [];
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server on the loopback address. @returns its address; `sentTo` has its name when it was sent a log-in */
async function serve(name: string, answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    if (request.headers.authorization !== undefined) sentTo.push(name);
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

function clientOf(url: string): RegistryClient {
  return new RegistryClient({
    address: parseRegistryAddress(url),
    credentials: { username: 'alice', password: 'secret' },
    patience: { tries: 1, answerMs: 10_000, idleMs: 200 },
  });
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UpstreamError) return error.failure.kind;
    throw error;
  }
  return 'none';
}

const challenge = (realm: string) => ({ 'www-authenticate': `Bearer realm="${realm}/token",service="r"` });

test('a server that a blob is redirected to can’t ask for the log-in', async () => {
  const tokens = await serve('tokens of another', (_, response) => response.end('{"token":"t"}'));
  const storage = await serve('storage', (_, response) => response.writeHead(401, challenge(tokens)).end());
  const registry = await serve('registry', (_, response) =>
    response.writeHead(307, { location: `${storage}/signed` }).end(),
  );
  expect(await failureOf(clientOf(registry).headBlob(NAME, DIGEST))).toBe('unauthorized');
  expect(sentTo).toEqual([]);
});

test('a token server that stops in its answer is unavailable, not waited for without an end', async () => {
  const tokens = await serve('tokens', (_, response) => void response.writeHead(200).write('{"token":'));
  const registry = await serve('registry', (_, response) => response.writeHead(401, challenge(tokens)).end());
  const client = clientOf(registry);
  expect(await failureOf(client.headBlob(NAME, DIGEST))).toBe('unavailable');
  expect(await failureOf(client.headBlob(NAME, DIGEST))).toBe('unavailable');
  expect(sentTo).toEqual(['tokens', 'tokens']);
});

test('a registry that stops in saying what is wrong has said no more than its status', async () => {
  const registry = await serve('registry', (_, response) => void response.writeHead(503).write('{"errors":'));
  const reference = { kind: 'digest', digest: DIGEST } as const;
  expect(await failureOf(clientOf(registry).getManifest(NAME, reference))).toBe('unavailable');
});
