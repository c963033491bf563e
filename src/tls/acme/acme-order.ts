import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { Logger } from 'pino';
import { type TlsMaterial, tlsMaterial } from '../tls-material.ts';
import { type AcmeOptions, namesKey, type Seal, sealedAs } from './acme-options.ts';
import type { AcmeStore } from './acme-store.ts';
import { newKey, orderCertificate } from './authority.ts';
import type { ChallengeSolver } from './challenge-solver.ts';
import { runDnsHook } from './dns-hook.ts';
import { AcmeFailure } from './failure.ts';

export interface OrderContext {
  store: AcmeStore;
  seal: Seal;
  options: AcmeOptions;
  log: Pick<Logger, 'warn'>;
}

/**
 * Gets a certificate and stores it.
 *
 * @throws AcmeFailure; what the database throws
 */
export async function placeOrder(context: OrderContext, signal: AbortSignal): Promise<TlsMaterial> {
  const { options, seal, store } = context;
  const solver = solverOf(context);
  const { chain, key } = await withAccount(context, (account, registered) =>
    orderCertificate(options, account, solver, registered, signal),
  );
  const material = tlsMaterial(chain, key);
  const names = namesKey(options.domains);
  await store.putCertificate(options.directory, {
    names,
    fingerprint: material.fingerprint,
    chain: material.certificate,
    sealedKey: seal.seal(key, sealedAs(names)),
    notBefore: material.notBefore,
    notAfter: material.notAfter,
  });
  return material;
}

type Work<T> = (
  account: { key: string; url: string | undefined },
  registered: (url: string) => Promise<void>,
) => Promise<T>;

/** Runs an order with the account, which is made when there is none; registers it anew when the authority does not know it any longer. */
async function withAccount<T>(context: OrderContext, work: Work<T>): Promise<T> {
  const { store, options } = context;
  const { directory, email, externalAccount } = options;
  const registration = createHash('sha256')
    .update(JSON.stringify([email, externalAccount?.kid]))
    .digest('hex');
  const account = await openAccount(context);
  const registered = (url: string) => store.putAccount(directory, { sealedKey: account.sealedKey, url, registration });
  const url = account.registration === registration ? account.url : undefined;
  try {
    return await work({ key: account.key, url }, registered);
  } catch (error) {
    const forgotten = error instanceof AcmeFailure && error.type === 'accountDoesNotExist';
    if (!forgotten || url === undefined) throw error;
    return await work({ key: account.key, url: undefined }, registered);
  }
}

async function openAccount({ store, seal, options: { directory }, log }: OrderContext) {
  const stored = await store.account(directory);
  try {
    if (stored !== undefined) return { ...stored, key: seal.open(stored.sealedKey, sealedAs(directory)) };
  } catch (error) {
    log.warn({ err: error, directory }, 'the key of the account can not be used; another one is made');
  }
  const key = await newKey();
  const made = { sealedKey: seal.seal(key, sealedAs(directory)), url: undefined, registration: undefined };
  await store.putAccount(directory, made);
  return { ...made, key };
}

/** Challenges of HTTP stand in the database, where every process finds them; records of DNS are the hook's. */
function solverOf({ store, options: { dnsHook }, log }: OrderContext): ChallengeSolver {
  return {
    // RFC 8738, section 7: an address has no records.
    kindFor: (name) => (dnsHook === undefined || isIP(name) !== 0 ? 'http-01' : 'dns-01'),
    async set({ kind, name, token, answer }) {
      if (kind === 'dns-01' && dnsHook !== undefined) await runDnsHook(dnsHook, 'set', name, answer);
      else await store.putChallenge(token, answer);
    },
    async remove({ kind, name, token, answer }) {
      try {
        if (kind === 'dns-01' && dnsHook !== undefined) await runDnsHook(dnsHook, 'remove', name, answer);
        else await store.removeChallenge(token);
      } catch (error) {
        // The authority has looked already: what is left does no harm, and no certificate is given up for it.
        log.warn({ err: error, name }, 'what proved a name to the authority could not be removed');
      }
    },
  };
}
