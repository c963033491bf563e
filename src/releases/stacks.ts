import { type ComposeFile, checkComposeFile, parseComposeFile } from '../compose/file.ts';
import { registryImages } from '../compose/images.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { Actor, ReleasesContext, Rows } from './context.ts';
import { activeTargets, environmentsOf, findStack, type StackRow, stackName, stacks } from './find.ts';

/** A stack with what people want to see of it. Times are ms since 1970. */
export interface Stack {
  name: string;
  file: Digest;
  services: { name: string; image: string; repository: RepositoryName | null }[];
  environments: string[];
  createdBy: string;
  createdAt: number;
  updatedAt: number;
}

/** How the caller sees the registry, and what it may read there. */
export interface Viewpoint {
  /** Hosts that mean this registry in an image's name, e.g. `registry.example.com:5000`. */
  hosts: readonly string[];
  mayRead: (repository: RepositoryName) => Promise<boolean>;
}

const MOST_STACKS = 1_000;

/** Those of some namespaces or of all, at most 1,000, in the order of their names. */
export async function listStacks(context: ReleasesContext, namespaces: 'all' | readonly string[]): Promise<Stack[]> {
  const { read } = context.database;
  if (namespaces.length === 0) return [];
  const rows = await stacks(read)
    .$if(namespaces !== 'all', (query) => query.where('n.name', 'in', [...namespaces]))
    .orderBy('n.name')
    .orderBy('s.name')
    .limit(MOST_STACKS)
    .execute();
  const list: Stack[] = [];
  for (const row of rows) list.push(await describeStack(read, row));
  return list;
}

/** @throws OciError NOT_FOUND */
export async function getStack(context: ReleasesContext, namespace: string, name: string): Promise<Stack> {
  const { read } = context.database;
  return describeStack(read, await findStack(read, namespace, name));
}

/** @throws OciError BODY_INVALID with what is wrong in the file, NAME_TAKEN, NOT_FOUND for the namespace, DENIED */
export async function createStack(
  context: ReleasesContext,
  namespace: string,
  stack: { name: string; file: string },
  view: Viewpoint,
  actor: Actor,
): Promise<Stack> {
  const services = await servicesOf(stack.file, namespace, view);
  const file = digestOf(new TextEncoder().encode(stack.file));
  const now = context.now();
  await context.database.transaction(async (tx) => {
    const owner = await tx.selectFrom('namespaces').select('id').where('name', '=', namespace).executeTakeFirst();
    if (owner === undefined) throw new OciError('NOT_FOUND', `namespace: no user or organization ${namespace}`);
    const added = await tx
      .insertInto('stacks')
      .values({
        namespace_id: owner.id,
        name: stack.name,
        file,
        created_by: actor.name,
        created_at: now,
        updated_at: now,
      })
      .onConflict((conflict) => conflict.columns(['namespace_id', 'name']).doNothing())
      .returning('id')
      .executeTakeFirst();
    if (added === undefined) throw new OciError('NAME_TAKEN', `name: ${namespace} has a stack ${stack.name} already`);
    await tx
      .insertInto('stack_files')
      .values({ stack_id: added.id, digest: file, content: stack.file, created_by: actor.name, created_at: now })
      .execute();
    if (services.length > 0) {
      await tx
        .insertInto('stack_services')
        .values(services.map((service) => ({ stack_id: added.id, ...service })))
        .execute();
    }
    await context.record(tx, actor, {
      action: 'stack.create',
      subject: `${namespace}/${stack.name}`,
      detail: { file },
    });
  });
  return getStack(context, namespace, stack.name);
}

/** Gives the stack another compose file, for the releases that are made from then on. @throws OciError BODY_INVALID, NOT_FOUND, DENIED */
export async function updateStackFile(
  context: ReleasesContext,
  namespace: string,
  name: string,
  text: string,
  view: Viewpoint,
  actor: Actor,
): Promise<Stack> {
  const services = await servicesOf(text, namespace, view);
  const file = digestOf(new TextEncoder().encode(text));
  const now = context.now();
  await context.database.transaction(async (tx) => {
    const stack = await findStack(tx, namespace, name);
    await tx
      .insertInto('stack_files')
      .values({ stack_id: stack.id, digest: file, content: text, created_by: actor.name, created_at: now })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await tx.updateTable('stacks').set({ file, updated_at: now }).where('id', '=', stack.id).execute();
    await tx.deleteFrom('stack_services').where('stack_id', '=', stack.id).execute();
    if (services.length > 0) {
      await tx
        .insertInto('stack_services')
        .values(services.map((service) => ({ stack_id: stack.id, ...service })))
        .execute();
    }
    await context.record(tx, actor, { action: 'stack.update', subject: stackName(stack), detail: { file } });
  });
  return getStack(context, namespace, name);
}

/** A compose file of the stack: the current one, or that of a release. @throws OciError NOT_FOUND */
export async function stackFileText(rows: Rows, stack: StackRow, digest: Digest = stack.file): Promise<string> {
  const row = await rows
    .selectFrom('stack_files')
    .select('content')
    .where('stack_id', '=', stack.id)
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (row === undefined) throw new OciError('NOT_FOUND', `file: ${stackName(stack)} has no file ${digest}`);
  return row.content;
}

/** Deletes a stack and all that was ever deployed of it. @throws OciError NOT_FOUND; CONFLICT while servers run it */
export async function deleteStack(
  context: ReleasesContext,
  namespace: string,
  name: string,
  actor: Actor,
): Promise<void> {
  await context.database.transaction(async (tx) => {
    const stack = await findStack(tx, namespace, name);
    const running: string[] = [];
    for (const environment of await environmentsOf(tx, stack.id)) {
      for (const target of await activeTargets(tx, environment.id)) running.push(`${environment.name}/${target.name}`);
    }
    if (running.length > 0) {
      throw new OciError(
        'CONFLICT',
        `stack: ${stackName(stack)} has targets: ${running.join(', ')}; revoke them first`,
        { targets: running },
      );
    }
    await tx
      .deleteFrom('deployments')
      .where('environment_id', 'in', tx.selectFrom('environments').select('id').where('stack_id', '=', stack.id))
      .execute();
    await tx.deleteFrom('stacks').where('id', '=', stack.id).execute();
    await context.record(tx, actor, { action: 'stack.delete', subject: stackName(stack) });
  });
}

async function describeStack(rows: Rows, stack: StackRow): Promise<Stack> {
  const file = parseComposeFile(await stackFileText(rows, stack));
  const ours = await rows
    .selectFrom('stack_services')
    .select(['service', 'repository'])
    .where('stack_id', '=', stack.id)
    .execute();
  const repositories = new Map(ours.map((row) => [row.service, row.repository]));
  return {
    name: stackName(stack),
    file: stack.file,
    services: [...file.services.values()].map(({ name, image }) => ({
      name,
      image: image ?? '',
      repository: repositories.get(name) ?? null,
    })),
    environments: (await environmentsOf(rows, stack.id)).map((environment) => environment.name),
    createdBy: stack.created_by,
    createdAt: stack.created_at,
    updatedAt: stack.updated_at,
  };
}

/** The services of this registry's images. @throws OciError BODY_INVALID; DENIED for a repository that the caller may not read */
async function servicesOf(
  text: string,
  namespace: string,
  view: Viewpoint,
): Promise<{ service: string; repository: RepositoryName; reference: string }[]> {
  const file: ComposeFile = parseComposeFile(text);
  checkComposeFile(file);
  const images = registryImages(file, { hosts: view.hosts, namespace });
  const services: { service: string; repository: RepositoryName; reference: string }[] = [];
  for (const [service, { repository, reference }] of images) {
    if (!(await view.mayRead(repository))) {
      throw new OciError(
        'DENIED',
        `file: service ${service}: you may not read ${repository}, or there is no such name`,
      );
    }
    services.push({ service, repository, reference });
  }
  return services;
}
