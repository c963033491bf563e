import type { Selectable, Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { namespaceOf, type RepositoryName } from '../oci/names.ts';
import type { ReleasesContext, Rows } from './context.ts';

/*
 * What releases are asked about by name, as rows, or the error that says there is none.
 */

export type StackRow = Selectable<Schema['stacks']> & { namespace: string };
export type EnvironmentRow = Selectable<Schema['environments']>;
export type ReleaseRow = Selectable<Schema['releases']>;
export type DeploymentRow = Selectable<Schema['deployments']>;
export type TargetRow = Selectable<Schema['targets']>;

/** A stack as people write it. */
export function stackName(stack: Pick<StackRow, 'namespace' | 'name'>): string {
  return `${stack.namespace}/${stack.name}`;
}

/** As the audit log and messages name it. */
export function environmentName(stack: StackRow, environment: Pick<EnvironmentRow, 'name'>): string {
  return `${stackName(stack)}@${environment.name}`;
}

/**
 * Whether the stack's own namespace has the repository: who may write the stack may write it. In others' repositories a stack sets no tags,
 * and automation follows what is public alone.
 */
export function isOwnRepository(stack: Pick<StackRow, 'namespace'>, repository: RepositoryName): boolean {
  return namespaceOf(repository) === stack.namespace;
}

/** @throws OciError NOT_FOUND */
export async function findStack(rows: Rows, namespace: string, name: string): Promise<StackRow> {
  const row = await stacks(rows).where('n.name', '=', namespace).where('s.name', '=', name).executeTakeFirst();
  if (row === undefined) throw new OciError('NOT_FOUND', `stack: no stack ${clip(`${namespace}/${name}`)}`);
  return row;
}

export async function stackById(rows: Rows, id: number): Promise<StackRow> {
  return stacks(rows).where('s.id', '=', id).executeTakeFirstOrThrow();
}

export function stacks(rows: Rows) {
  return rows
    .selectFrom('stacks as s')
    .innerJoin('namespaces as n', 'n.id', 's.namespace_id')
    .selectAll('s')
    .select('n.name as namespace');
}

/** @throws OciError NOT_FOUND */
export async function findEnvironment(rows: Rows, stack: StackRow, name: string): Promise<EnvironmentRow> {
  const row = await rows
    .selectFrom('environments')
    .selectAll()
    .where('stack_id', '=', stack.id)
    .where('name', '=', name)
    .executeTakeFirst();
  if (row === undefined) throw new OciError('NOT_FOUND', `environment: ${stackName(stack)} has no ${clip(name)}`);
  return row;
}

/**
 * An environment for a change: on PostgreSQL whoever else changes it waits until the transaction ends. On SQLite there is one
 * writer anyway.
 */
export async function lockEnvironment(
  context: ReleasesContext,
  tx: Transaction<Schema>,
  id: number,
): Promise<EnvironmentRow | undefined> {
  const query = tx.selectFrom('environments').selectAll().where('id', '=', id);
  return (context.database.kind === 'postgres' ? query.forUpdate() : query).executeTakeFirst();
}

/** In their order. */
export function environmentsOf(rows: Rows, stackId: number): Promise<EnvironmentRow[]> {
  return rows
    .selectFrom('environments')
    .selectAll()
    .where('stack_id', '=', stackId)
    .orderBy('position')
    .orderBy('id')
    .execute();
}

/** @throws OciError NOT_FOUND */
export async function findRelease(rows: Rows, stack: StackRow, number: number): Promise<ReleaseRow> {
  const row = await rows
    .selectFrom('releases')
    .selectAll()
    .where('stack_id', '=', stack.id)
    .where('number', '=', number)
    .executeTakeFirst();
  if (row === undefined) throw new OciError('NOT_FOUND', `release: ${stackName(stack)} has no release ${number}`);
  return row;
}

/** @throws OciError NOT_FOUND */
export async function findDeployment(rows: Rows, environment: EnvironmentRow, number: number): Promise<DeploymentRow> {
  const row = await deploymentByNumber(rows, environment.id, number);
  if (row === undefined) throw new OciError('NOT_FOUND', `deployment: ${environment.name} has no v${number}`);
  return row;
}

export function deploymentByNumber(
  rows: Rows,
  environmentId: number,
  number: number,
): Promise<DeploymentRow | undefined> {
  return rows
    .selectFrom('deployments')
    .selectAll()
    .where('environment_id', '=', environmentId)
    .where('number', '=', number)
    .executeTakeFirst();
}

export async function deploymentById(rows: Rows, id: number | null): Promise<DeploymentRow | undefined> {
  if (id === null) return undefined;
  return rows.selectFrom('deployments').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Enrolled and not revoked, in the order of enrolment. */
export function activeTargets(rows: Rows, environmentId: number): Promise<TargetRow[]> {
  return rows
    .selectFrom('targets')
    .selectAll()
    .where('environment_id', '=', environmentId)
    .where('revoked_at', 'is', null)
    .orderBy('id')
    .execute();
}

/** Whether a target was heard of lately. */
export function isOnline(context: ReleasesContext, target: Pick<TargetRow, 'last_seen_at'>): boolean {
  return target.last_seen_at !== null && target.last_seen_at > context.now() - context.policy.onlineMs;
}

export function clip(name: string): string {
  return name.slice(0, 100);
}
