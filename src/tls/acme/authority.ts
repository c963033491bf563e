import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { rootCertificates } from 'node:tls';
import type { Authorization, Client, Order } from 'acme-client';
import type { AcmeOptions } from './acme-options.ts';
import { AcmeTransport } from './acme-transport.ts';
import type { Challenge, ChallengeSolver } from './challenge-solver.ts';
import { AcmeFailure, failureOf } from './failure.ts';

/** How this server is known to an authority. */
export interface AcmeAccount {
  /** PEM */
  key: string;
  /** undefined: not registered yet, or with something else than the options say now. */
  url: string | undefined;
}

export interface IssuedCertificate {
  /** PEM: the certificate, then those above it. */
  chain: string;
  /** PEM */
  key: string;
}

const ORDER_WITHIN_MS = 10 * 60_000;
/** How often it is asked whether it has checked: about 2 minutes together. */
const ASKED = { backoffAttempts: 30, backoffMin: 250, backoffMax: 5_000 };

/** @returns PEM of a new key, for an account or a certificate */
export async function newKey(): Promise<string> {
  const { crypto } = await import('acme-client');
  return (await crypto.createPrivateEcdsaKey('P-256')).toString();
}

/**
 * One order, from the account to the certificate: RFC 8555, section 7.
 *
 * @param registered told of the account's address at the authority, before anything is ordered
 * @throws AcmeFailure
 */
export async function orderCertificate(
  options: AcmeOptions,
  account: AcmeAccount,
  solver: ChallengeSolver,
  registered: (url: string) => Promise<void>,
  signal: AbortSignal,
): Promise<IssuedCertificate> {
  // Loaded only when there is something to order: it is large.
  const acme = await import('acme-client');
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ORDER_WITHIN_MS)]);
  const transport = new AcmeTransport(rootsOf(options), limit);
  acme.axios.defaults.adapter = async (config) => {
    const { data, status, headers } = await transport.send(config);
    return { data, status, statusText: '', headers, config };
  };
  const client = new acme.Client({
    directoryUrl: options.directory,
    accountKey: account.key,
    ...(account.url === undefined ? {} : { accountUrl: account.url }),
    ...externalAccountOf(options),
    ...ASKED,
  });
  let name: string | undefined;
  try {
    if (account.url === undefined) {
      await register(client, options);
      await registered(client.getAccountUrl());
    }
    const order = await client.createOrder({
      identifiers: options.domains.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
    });
    for (const authorization of await client.getAuthorizations(order)) {
      name = authorization.identifier.value;
      await prove(client, authorization, solver);
    }
    name = undefined;
    return await finish(client, order, options.domains);
  } catch (error) {
    throw failureFrom(error, transport, options, name);
  }
}

/** Using a directory agrees to its terms, as `docs/how-to/acme.md` says. */
async function register(client: Client, { email }: AcmeOptions): Promise<void> {
  await client.createAccount({
    termsOfServiceAgreed: true,
    ...(email === undefined ? {} : { contact: [`mailto:${email}`] }),
  });
}

async function prove(client: Client, authorization: Authorization, solver: ChallengeSolver): Promise<void> {
  // The authority remembers that it has been shown lately.
  if (authorization.status === 'valid') return;
  const name = authorization.identifier.value;
  const kind = solver.kindFor(name);
  const offered = authorization.challenges.find(({ type }) => type === kind);
  if (offered === undefined) {
    const kinds = authorization.challenges.map(({ type }) => type).join(', ');
    throw new AcmeFailure('refused', `${name}: the authority does not offer ${kind} for it, only ${kinds}`);
  }
  const answer = await client.getChallengeKeyAuthorization(offered);
  const challenge: Challenge = { kind, name, token: offered.token, answer };
  await solver.set(challenge);
  try {
    await client.completeChallenge(offered);
    await client.waitForValidStatus(offered);
  } finally {
    await solver.remove(challenge);
  }
}

async function finish(client: Client, order: Order, domains: readonly string[]): Promise<IssuedCertificate> {
  const { crypto } = await import('acme-client');
  const key = await newKey();
  const [, request] = await crypto.createCsr({ altNames: [...domains] }, key);
  const ready = await client.waitForValidStatus(order);
  const finalized = await client.finalizeOrder({ ...ready, url: order.url }, request);
  return { chain: await client.getCertificate(finalized), key };
}

function failureFrom(
  error: unknown,
  { problem, unreachable }: AcmeTransport,
  { directory }: AcmeOptions,
  name: string | undefined,
): AcmeFailure {
  if (error instanceof AcmeFailure) return error;
  if (unreachable !== undefined) {
    const why = messageOf(unreachable.error);
    const untrusted = /certificate|self.signed|issuer/i.test(`${why} ${codeOf(unreachable.error)}`);
    const advice = untrusted
      ? 'if the authority is your own, name its root certificate with acmeCa'
      : 'this server must be able to reach it';
    const message = `cannot reach the authority at ${unreachable.url || directory}: ${why}; ${advice}`;
    return new AcmeFailure('unreachable', message, { cause: error });
  }
  if (problem !== undefined) return failureOf(problem, name);
  return new AcmeFailure('refused', `${name === undefined ? '' : `${name}: `}${messageOf(error)}`, { cause: error });
}

/** @throws AcmeFailure */
function rootsOf({ authorityFile }: AcmeOptions): string[] | undefined {
  if (authorityFile === undefined) return undefined;
  return [...rootCertificates, readOrFail('acmeCa', authorityFile)];
}

function externalAccountOf({ externalAccount }: AcmeOptions) {
  if (externalAccount === undefined) return {};
  const hmacKey = readOrFail('acmeEabKeyFile', externalAccount.keyFile).trim();
  return { externalAccountBinding: { kid: externalAccount.kid, hmacKey } };
}

function readOrFail(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new AcmeFailure('unreachable', `${setting}: cannot read ${path}: ${messageOf(error)}`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
