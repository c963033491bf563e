import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP } from 'node:net';
import { checkServerIdentity, connect as connectTls, getCACertificates, type TLSSocket } from 'node:tls';
import type { ShownCertificate } from './certificate.ts';
import { type Check, failed, ok } from './result.ts';

const WITHIN_MS = 10_000;

export interface Place {
  /** Without the brackets of IPv6. */
  hostname: string;
  port: number;
}

export function placeOf(origin: string): Place {
  const { hostname, port, protocol } = new URL(origin);
  const plain = hostname.replace(/^\[|\]$/g, '');
  return { hostname: plain, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
}

/** Whether the name leads to an address, and whether something listens there. */
export async function reach({ hostname, port }: Place): Promise<Check[]> {
  const checks: Check[] = [];
  if (isIP(hostname) === 0) {
    try {
      const addresses = await within(lookup(hostname, { all: true }), 'the name server does not answer');
      checks.push(ok('name', `${hostname} is ${addresses.map(({ address }) => address).join(', ')}`));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return [
        failed('name', `${hostname} is no name that this machine knows (${why}). Add it to DNS, or to /etc/hosts`),
      ];
    }
  }
  const refused = await connecting(hostname, port);
  checks.push(
    refused === undefined
      ? ok('port', `something listens on port ${port}`)
      : failed('port', `nothing answers on port ${port} of ${hostname} (${refused}). ${reasonOf(refused)}`),
  );
  return checks;
}

function reasonOf(code: string): string {
  if (code === 'ECONNREFUSED')
    return 'Start what is to listen there; a server that listens on 127.0.0.1 alone (--host) is not reached from elsewhere';
  return 'A firewall may drop it: let this port in';
}

/** undefined when there is a connection, else why not */
function connecting(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port, timeout: WITHIN_MS });
    const end = (why?: string) => {
      socket.destroy();
      resolve(why);
    };
    socket.once('connect', () => end());
    socket.once('timeout', () => end('no answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

export type Handshake = { kind: 'certificate'; shown: ShownCertificate } | { kind: 'none'; why: string };

/** The authorities that this machine knows: the system's, and those of the program. */
export function knownAuthorities(extra: readonly string[]): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...extra])];
}

/** What a server shows of itself over TLS. */
export function shakeHands({ hostname, port }: Place, authorities: readonly string[]): Promise<Handshake> {
  return new Promise((resolve) => {
    const name = isIP(hostname) === 0 ? { servername: hostname } : {};
    const socket: TLSSocket = connectTls({
      host: hostname,
      port,
      ...name,
      ca: [...authorities],
      rejectUnauthorized: false,
      timeout: WITHIN_MS,
    });
    const end = (handshake: Handshake) => {
      socket.destroy();
      resolve(handshake);
    };
    socket.once('secureConnect', () => end({ kind: 'certificate', shown: shownBy(socket, hostname) }));
    socket.once('timeout', () => end({ kind: 'none', why: 'no answer in time' }));
    socket.once('error', (error: NodeJS.ErrnoException) => end({ kind: 'none', why: error.code ?? error.message }));
    socket.once('close', () => end({ kind: 'none', why: 'the connection was closed' }));
  });
}

function shownBy(socket: TLSSocket, hostname: string): ShownCertificate {
  const certificate = socket.getPeerCertificate();
  const nameError = checkServerIdentity(hostname, certificate)?.message;
  const error: unknown = socket.authorizationError;
  // Names are looked at here, so that each fault is said by itself.
  const chain = error == null || String(error).includes('ALTNAME') ? undefined : codeOf(error);
  return {
    chainError: socket.authorized ? undefined : chain,
    nameError,
    names: certificate.subjectaltname ?? '',
    issuer: String(certificate.issuer?.CN ?? certificate.issuer?.O ?? 'an authority without a name'),
    notBefore: new Date(certificate.valid_from),
    notAfter: new Date(certificate.valid_to),
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

async function within<T>(work: Promise<T>, why: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(why)), WITHIN_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
