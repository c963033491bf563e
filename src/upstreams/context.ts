import type { Transaction } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import type { Actor } from '../registry/context.ts';
import type { Fetch } from './registry-transport.ts';

/** What other registries need from outside; made by `server.ts`, or by a test. */
export interface UpstreamsContext {
  database: Database;
  secrets: SecretKeeper;
  /** Sends a request to an upstream; the system's without it. */
  fetch?: Fetch | undefined;
  /** ms since 1970 */
  now: () => number;
  /** Writes down who did what, in the transaction that does it. */
  record: (tx: Transaction<Schema>, actor: Actor, entry: UpstreamsRecord) => Promise<void>;
}

export interface UpstreamsRecord {
  action:
    | 'upstream.create'
    | 'upstream.update'
    | 'upstream.delete'
    | 'cache.set'
    | 'cache.remove'
    | 'mirror.create'
    | 'mirror.update'
    | 'mirror.delete'
    | 'mirror.run';
  /** An upstream's name, a cache's prefix, a mirror's repository. */
  subject: string;
  detail?: Record<string, unknown>;
}

/** Encrypts what is kept of secrets. `context` is bound to the text: it opens with the same one only. */
export interface SecretKeeper {
  seal(plain: string, context: string): string;
  open(sealed: string, context: string): string;
}
