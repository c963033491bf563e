import { type RawBuilder, sql } from 'kysely';
import type { Digest } from '../oci/digest.ts';
import type { Reference, RepositoryName } from '../oci/names.ts';
import type { ReadableRepositories } from './catalog.ts';
import type { RegistryContext } from './context.ts';
import { getDocument } from './image-documents.ts';
import { type Chain, chains } from './keepers.ts';
import { BEFORE_NAMES } from './repositories.ts';

/** What others have to do with an image. */
export interface ImageUsage {
  /** The image, the images in it and the indexes that have it: who uses one of them uses it. */
  relatives: Digest[];
  /** What keeps it, in this repository, at most 100; `in use` without saying by whom. */
  reasons: Chain[];
  /** Other repositories that have layers of it, the 20 with the most bytes. */
  shared: { repository: RepositoryName; bytes: number; layers: number }[];
}

const MOST_REASONS = 100;
const MOST_RELATIVES = 200;
/** An index in an index in an index. */
const MOST_LEVELS = 4;
/** Docker makes at most 127 layers an image. */
const MOST_LAYERS = 1_000;
const MOST_SHARED = 20;

/** @throws OciError NAME_UNKNOWN, MANIFEST_UNKNOWN */
export async function getImageUsage(
  context: RegistryContext,
  name: RepositoryName,
  reference: Reference,
  readable: ReadableRepositories,
): Promise<ImageUsage> {
  const { repositoryId, digest } = await getDocument(context, name, reference);
  const within = await follow(context, repositoryId, digest, 'down');
  const around = await follow(context, repositoryId, digest, 'up');
  const inUse = await context.digestsInUse();
  return {
    relatives: [...new Set([...within, ...around])],
    reasons: await chains(context, { id: repositoryId, name }, [digest], inUse, MOST_REASONS),
    shared: await sharedWith(context, repositoryId, within, readable),
  };
}

/** The manifest, and the images in it or the indexes around it. */
async function follow(
  context: RegistryContext,
  repositoryId: number,
  digest: Digest,
  way: 'down' | 'up',
): Promise<Digest[]> {
  const [from, to] = way === 'down' ? (['manifest', 'target'] as const) : (['target', 'manifest'] as const);
  const found = new Set([digest]);
  let level = [digest];
  for (let i = 0; i < MOST_LEVELS && level.length > 0 && found.size < MOST_RELATIVES; i++) {
    const rows = await context.database.read
      .selectFrom('manifest_references')
      .select(`${to} as digest`)
      .where('repository_id', '=', repositoryId)
      .where(from, 'in', level)
      .where('kind', '=', 'manifest')
      .limit(MOST_RELATIVES)
      .execute();
    level = rows.map((row) => row.digest).filter((next) => !found.has(next));
    for (const next of level) found.add(next);
  }
  return [...found];
}

async function sharedWith(
  context: RegistryContext,
  repositoryId: number,
  manifests: readonly Digest[],
  readable: ReadableRepositories,
): Promise<ImageUsage['shared']> {
  const { read } = context.database;
  const layers = await read
    .selectFrom('manifest_references')
    .select('target')
    .distinct()
    .where('repository_id', '=', repositoryId)
    .where('manifest', 'in', manifests)
    .where('kind', '=', 'layer')
    .limit(MOST_LAYERS)
    .execute();
  if (layers.length === 0) return [];
  const { rows } = await sql<{ name: RepositoryName; layers: number | string; bytes: number | string }>`
    select r.name, count(*) as layers, sum(b.size) as bytes
    from repository_blobs l
    join repositories r on r.id = l.repository_id
    join blobs b on b.digest = l.digest
    where l.digest in (${sql.join(layers.map((layer) => layer.target))})
      and l.repository_id <> ${repositoryId}
      and r.name > ${BEFORE_NAMES}
      and ${mayBeRead(context, readable)}
    group by r.name
    order by bytes desc, r.name
    limit ${MOST_SHARED}`.execute(read);
  return rows.map((row) => ({ repository: row.name, layers: Number(row.layers), bytes: Number(row.bytes) }));
}

/** Whether a row `r` of `repositories` may be read: `listRepositories` says the same as walks of an index. */
function mayBeRead(context: RegistryContext, readable: ReadableRepositories): RawBuilder<unknown> {
  if (readable.kind === 'all') return sql`1 = 1`;
  const sqlite = context.database.kind === 'sqlite';
  const among = (values: readonly (string | number)[], type: string) =>
    sqlite
      ? sql`in (select value from json_each(${JSON.stringify(values)}))`
      : sql`= any(${sql.val([...values])}::${sql.raw(type)}[])`;
  const namespace = sqlite
    ? sql`substr(r.name, 1, max(instr(r.name, '/') - 1, 0))`
    : sql`left(r.name, greatest(strpos(r.name, '/') - 1, 0))`;
  const ways = [
    sql`r.id ${among(readable.repositories, 'bigint')}`,
    sql`${namespace} ${among(readable.namespaces, 'text')}`,
  ];
  if (readable.public) ways.push(sql`r.visibility = 'public'`);
  if (readable.unowned) ways.push(sql`not exists (select 1 from namespaces n where n.name = ${namespace})`);
  return sql`(${sql.join(ways, sql` or `)})`;
}
