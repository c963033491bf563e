import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Rows } from './context.ts';
import { deploymentById, type EnvironmentRow } from './find.ts';

/** Automation deploys nothing meanwhile. Times are ms since 1970. */
export interface Hold {
  by: string;
  at: number;
  reason: string;
}

/** The deployment that has the environment for itself. */
export interface Lock {
  holder: string;
  since: number;
  until: number;
  fence: number;
}

export function holdOf(row: EnvironmentRow): Hold | null {
  if (row.held_at === null) return null;
  return { by: row.held_by ?? '', at: row.held_at, reason: row.held_reason ?? '' };
}

/** @param hold null ends it */
export async function writeHold(tx: Transaction<Schema>, environmentId: number, hold: Hold | null): Promise<void> {
  await tx
    .updateTable('environments')
    .set({ held_by: hold?.by ?? null, held_at: hold?.at ?? null, held_reason: hold?.reason ?? null })
    .where('id', '=', environmentId)
    .execute();
}

export async function lockOf(rows: Rows, row: EnvironmentRow): Promise<Lock | null> {
  const deployment = await deploymentById(rows, row.lease_deployment_id);
  if (deployment === undefined || row.lease_since === null || row.lease_until === null) return null;
  return {
    holder: `v${deployment.number} by ${deployment.actor}`,
    since: row.lease_since,
    until: row.lease_until,
    fence: row.lease_fence,
  };
}
