import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { hashSecret, newSecret } from './secrets.ts';

/** The tokens of enrolled servers, for who enrolls and revokes them: as part of that transaction. */
export interface AgentTokens {
  /**
   * Makes one, which ends when it or the target is revoked, and not by itself. Returns the secret; only its hash is kept.
   *
   * @param name as lists have it
   */
  create(tx: Transaction<Schema>, targetId: number, name: string, origin: Origin): Promise<string>;
  /** Ends all of a target's. */
  revoke(tx: Transaction<Schema>, targetId: number, origin: Origin): Promise<void>;
}

export function agentTokens({ now, newId }: Pick<AccountsContext, 'now' | 'newId'>): AgentTokens {
  return {
    async create(tx, targetId, name, origin) {
      const id = newId();
      const secret = newSecret('agent');
      const at = now();
      await tx
        .insertInto('access_tokens')
        .values({
          id,
          kind: 'agent',
          user_id: null,
          robot_id: null,
          target_id: targetId,
          parent_id: null,
          name,
          level: 'read',
          repository: null,
          secret_hash: hashSecret(secret),
          created_at: at,
          expires_at: null,
          last_used_at: null,
          last_used_from: null,
          revoked_at: null,
        })
        .execute();
      const detail = { kind: 'agent', name, level: 'read', repository: null, expiresAt: null };
      await audit(tx, at, origin, { action: 'token.create', subject: id, detail });
      return secret;
    },
    async revoke(tx, targetId, origin) {
      const at = now();
      const ended = await tx
        .updateTable('access_tokens')
        .set({ revoked_at: at })
        .where('target_id', '=', targetId)
        .where('revoked_at', 'is', null)
        .returning('id')
        .execute();
      for (const { id } of ended) await audit(tx, at, origin, { action: 'token.revoke', subject: id });
    },
  };
}
