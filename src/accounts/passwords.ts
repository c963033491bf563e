import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { OciError } from '../oci/errors.ts';

/** OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes. */
const ARGON2ID = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const;

export const PASSWORD_MIN = 8;
export const PASSWORD_MAX = 256;

/** Hashes in flight in this process: each takes 19 MiB and a core. */
const AT_ONCE = 2;
const REMEMBERED_MS = 5 * 60_000;

/** @throws OciError BODY_INVALID */
export function checkNewPassword(password: string): void {
  if (password.length >= PASSWORD_MIN && password.length <= PASSWORD_MAX) return;
  throw new OciError('BODY_INVALID', `password: must have ${PASSWORD_MIN} to ${PASSWORD_MAX} characters`);
}

/** Hashing in turn, so that many log-ins at once neither fill the memory nor starve the pulls. */
export class Passwords {
  /** What a user that does not exist is checked against, so that both refusals take as long. */
  #nobody: Promise<string> | undefined;
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #key = randomBytes(32);
  readonly #right = new LRUCache<string, true>({ max: 2_000, ttl: REMEMBERED_MS });
  /** How many hashes were computed. */
  hashes = 0;

  /** @param onHash told of each hash that is computed, for the metrics */
  constructor(readonly onHash: () => void = () => {}) {}

  hash(password: string): Promise<string> {
    return this.#inTurn(() => Bun.password.hash(password, ARGON2ID));
  }

  /** @param hash undefined for a user that does not exist, or that has no password */
  async verify(password: string, hash: string | undefined): Promise<boolean> {
    if (password.length > PASSWORD_MAX) return false;
    if (hash === undefined) {
      this.#nobody ??= Bun.password.hash(randomBytes(32).toString('hex'), ARGON2ID);
      const nobody = await this.#nobody;
      await this.#inTurn(() => Bun.password.verify(password, nobody));
      return false;
    }
    return this.#inTurn(() => Bun.password.verify(password, hash));
  }

  /**
   * For a client that sends its password with every request: whether it was right some minutes ago, from the same address: others' guesses
   * stay tries that are counted. It is remembered under a key that only this process has, with the hash that it was right for.
   */
  isRemembered(password: string, hash: string, source: string): boolean {
    return password.length <= PASSWORD_MAX && this.#right.has(this.#memory(password, hash, source));
  }

  remember(password: string, hash: string, source: string): void {
    this.#right.set(this.#memory(password, hash, source), true);
  }

  #memory(password: string, hash: string, source: string): string {
    return createHmac('sha256', this.#key).update(`${hash}\0${source}\0${password}`).digest('base64');
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    this.hashes++;
    this.onHash();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
