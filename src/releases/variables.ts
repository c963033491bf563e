import type { Transaction } from 'kysely';
import { reservedVariable } from '../compose/variables.ts';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { Actor, ReleasesContext, Rows } from './context.ts';
import { type EnvironmentRow, environmentName, findEnvironment, findStack, lockEnvironment } from './find.ts';

/** A version of an environment's variables, as it is shown. Times are ms since 1970. */
export interface ConfigVersion {
  version: number;
  variables: { name: string; secret: boolean; value: string | null }[];
  createdBy: string | null;
  createdAt: number | null;
}

/** As it is kept: a secret's value is sealed for its environment and name. */
export type StoredVariables = Record<string, { value: string } | { secret: string }>;

const MOST_VARIABLES = 1_000;

/** The newest version, or the one of a number; before the first change it is version 0, empty. @throws OciError NOT_FOUND */
export async function getConfig(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  environment: string,
): Promise<ConfigVersion> {
  const { read } = context.database;
  const row = await findEnvironment(read, await findStack(read, namespace, stack), environment);
  return describeConfig(read, row.id, row.config_version);
}

/** Newest first. @throws OciError NOT_FOUND */
export async function listConfigVersions(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  environment: string,
): Promise<ConfigVersion[]> {
  const { read } = context.database;
  const row = await findEnvironment(read, await findStack(read, namespace, stack), environment);
  const numbers = await read
    .selectFrom('config_versions')
    .select('number')
    .where('environment_id', '=', row.id)
    .orderBy('number', 'desc')
    .limit(100)
    .execute();
  const versions = [];
  for (const { number } of numbers) versions.push(await describeConfig(read, row.id, number));
  return versions;
}

/** Makes a new version. Nothing is deployed by it. @throws OciError NOT_FOUND, BODY_INVALID for a name that is not free to use */
export async function changeConfig(
  context: ReleasesContext,
  namespace: string,
  stack: string,
  environment: string,
  change: { set: Readonly<Record<string, { value: string; secret: boolean }>>; unset: readonly string[] },
  actor: Actor,
): Promise<ConfigVersion> {
  for (const [name, { value }] of Object.entries(change.set)) {
    const reason = reservedVariable(name) ? 'is kept for docker compose and Berth themselves' : undefined;
    if (reason !== undefined) throw new OciError('BODY_INVALID', `set.${name}: ${reason}; choose another name`);
    if (value.includes('\0')) throw new OciError('BODY_INVALID', `set.${name}: holds a NUL character`);
  }
  const { read } = context.database;
  const { id } = await findEnvironment(read, await findStack(read, namespace, stack), environment);
  await context.database.transaction(async (tx) => {
    const row = await lockEnvironment(context, tx, id);
    if (row === undefined) throw new OciError('NOT_FOUND', `environment: ${environment} was just deleted`);
    const variables = await storedVariables(tx, id, row.config_version);
    for (const name of change.unset) {
      if (variables[name] === undefined) throw new OciError('BODY_INVALID', `unset: there is no variable ${name}`);
      delete variables[name];
    }
    for (const [name, { value, secret }] of Object.entries(change.set)) {
      variables[name] = secret ? { secret: context.secrets.seal(value, contextOf(id, name)) } : { value };
    }
    if (Object.keys(variables).length > MOST_VARIABLES) {
      throw new OciError('BODY_INVALID', `set: an environment has at most ${MOST_VARIABLES} variables`);
    }
    await insertConfig(context, tx, row, variables, actor);
    const found = await findStack(tx, namespace, stack);
    await context.record(tx, actor, {
      action: 'config.change',
      subject: environmentName(found, row),
      detail: { version: row.config_version + 1, set: Object.keys(change.set), unset: change.unset },
    });
  });
  return getConfig(context, namespace, stack, environment);
}

async function insertConfig(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  environment: EnvironmentRow,
  variables: StoredVariables,
  actor: Actor,
): Promise<void> {
  const number = environment.config_version + 1;
  await tx
    .insertInto('config_versions')
    .values({
      environment_id: environment.id,
      number,
      variables: JSON.stringify(variables),
      created_by: actor.name,
      created_at: context.now(),
    })
    .execute();
  await tx.updateTable('environments').set({ config_version: number }).where('id', '=', environment.id).execute();
}

export async function storedVariables(rows: Rows, environmentId: number, version: number): Promise<StoredVariables> {
  const row = await rows
    .selectFrom('config_versions')
    .select('variables')
    .where('environment_id', '=', environmentId)
    .where('number', '=', version)
    .executeTakeFirst();
  return row === undefined ? {} : (JSON.parse(row.variables) as StoredVariables);
}

/** With the secrets open: for the targets alone. @throws OciError UNAVAILABLE when the key is not the one they were sealed with */
export async function openVariables(
  context: ReleasesContext,
  rows: Rows,
  environmentId: number,
  version: number,
): Promise<Record<string, string>> {
  const open: Record<string, string> = {};
  for (const [name, kept] of Object.entries(await storedVariables(rows, environmentId, version))) {
    open[name] = 'value' in kept ? kept.value : context.secrets.open(kept.secret, contextOf(environmentId, name));
  }
  return open;
}

/** What two versions differ in, by name. Secrets are compared by what they are, and not told. */
export async function diffVariables(
  context: ReleasesContext,
  rows: Rows,
  environmentId: number,
  from: number,
  to: number,
): Promise<{ added: string[]; changed: string[]; removed: string[] }> {
  const before = await openVariables(context, rows, environmentId, from);
  const after = await openVariables(context, rows, environmentId, to);
  return {
    added: Object.keys(after).filter((name) => before[name] === undefined),
    changed: Object.keys(after).filter((name) => before[name] !== undefined && before[name] !== after[name]),
    removed: Object.keys(before).filter((name) => after[name] === undefined),
  };
}

async function describeConfig(rows: Rows, environmentId: number, version: number): Promise<ConfigVersion> {
  const row = await rows
    .selectFrom('config_versions')
    .selectAll()
    .where('environment_id', '=', environmentId)
    .where('number', '=', version)
    .executeTakeFirst();
  const variables = row === undefined ? {} : (JSON.parse(row.variables) as StoredVariables);
  return {
    version,
    variables: Object.entries(variables)
      .map(([name, kept]) => ({ name, secret: 'secret' in kept, value: 'value' in kept ? kept.value : null }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    createdBy: row?.created_by ?? null,
    createdAt: row?.created_at ?? null,
  };
}

function contextOf(environmentId: number, name: string): string {
  return `environment ${environmentId} variable ${name}`;
}
