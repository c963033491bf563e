import { z } from 'zod';
import { isDigest } from '../../oci/digest.ts';
import { OciError } from '../../oci/errors.ts';
import { parseRepositoryName, parseTag } from '../../oci/names.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { getRepository, setImmutableTags } from '../../registry/repositories.ts';
import { listTagRows, rollbackTag, tagHistory } from '../../registry/tags.ts';
import type { Environment, Protocol } from '../dispatch.ts';
import { type BerthRequest, pageSize } from '../request.ts';
import type { Route } from '../route.ts';
import { problemProtocol } from './problem.ts';

type ApiHandler = (registry: RegistryContext, request: BerthRequest) => Promise<unknown>;

const MOST = 1_000;
const DEFAULT = 100;
const BODY_MAX_BYTES = 1024 * 1024;

/** The management API. Lists are pages: `next` is the cursor for `?last=`, or null at the end. */
const ROUTES: readonly Route<ApiHandler>[] = [
  { method: 'GET', path: '/api/v1/repositories/:name{.+}/tags', access: 'read', handler: tags },
  { method: 'GET', path: '/api/v1/repositories/:name{.+}/tags/:tag/history', access: 'read', handler: history },
  { method: 'POST', path: '/api/v1/repositories/:name{.+}/tags/:tag/rollback', access: 'write', handler: rollback },
  { method: 'GET', path: '/api/v1/repositories/:name{.+}/immutable-tags', access: 'read', handler: immutableTags },
  { method: 'PUT', path: '/api/v1/repositories/:name{.+}/immutable-tags', access: 'admin', handler: putImmutableTags },
];

export function apiProtocol(registry: RegistryContext, environment: Environment): Protocol<ApiHandler> {
  return problemProtocol(environment, ROUTES, async (handler, request) =>
    Response.json(await handler(registry, request)),
  );
}

async function tags(registry: RegistryContext, request: BerthRequest) {
  const name = parseRepositoryName(request.param('name'));
  const limit = pageSize(request, MOST) ?? DEFAULT;
  const page = await listTagRows(registry, name, { last: request.query('last'), limit });
  return {
    tags: page.tags.map((tag) => ({ name: tag.name, digest: tag.digest, updatedAt: iso(tag.updatedAt) })),
    next: page.more ? (page.tags.at(-1)?.name ?? null) : null,
  };
}

async function history(registry: RegistryContext, request: BerthRequest) {
  const name = parseRepositoryName(request.param('name'));
  const last = request.query('last');
  if (last !== undefined && !/^\d{1,15}$/.test(last)) {
    throw new OciError('PAGINATION_NUMBER_INVALID', 'last: not a cursor that this API gave');
  }
  const page = await tagHistory(registry, name, parseTag(request.param('tag')), {
    before: last === undefined ? undefined : Number(last),
    limit: pageSize(request, MOST) ?? DEFAULT,
  });
  return {
    entries: page.entries.map(({ id, at, tag: _, ...entry }) => ({ id: String(id), ...entry, at: iso(at) })),
    next: page.more ? String(page.entries.at(-1)?.id) : null,
  };
}

const rollbackBody = z.strictObject({ to: z.string().refine(isDigest, 'not a sha256 or sha512 digest').optional() });

async function rollback(registry: RegistryContext, request: BerthRequest) {
  const name = parseRepositoryName(request.param('name'));
  const body = await readBody(request, rollbackBody);
  const { digest, previous } = await rollbackTag(registry, name, parseTag(request.param('tag')), {
    to: body.to,
    actor: request.actor,
  });
  return { digest, previous: previous ?? null };
}

async function immutableTags(registry: RegistryContext, request: BerthRequest) {
  const repository = await getRepository(registry, parseRepositoryName(request.param('name')));
  return { patterns: repository.immutableTags };
}

const pattern = z
  .string()
  .max(128)
  .regex(/^[a-zA-Z0-9._*?-]+$/, 'a pattern is made of [a-zA-Z0-9._-], * and ?');
const immutableBody = z.strictObject({ patterns: z.array(pattern).max(100) });

async function putImmutableTags(registry: RegistryContext, request: BerthRequest) {
  const body = await readBody(request, immutableBody);
  await setImmutableTags(registry, parseRepositoryName(request.param('name')), body.patterns);
  return body;
}

/** A JSON body; an empty one is `{}`. @throws OciError BODY_INVALID with the field that is wrong */
async function readBody<T>(request: BerthRequest, schema: z.ZodType<T>): Promise<T> {
  let size = 0;
  const pieces: Uint8Array[] = [];
  for await (const piece of request.raw.body ?? []) {
    size += piece.byteLength;
    if (size > BODY_MAX_BYTES) throw new OciError('BODY_INVALID', `body: larger than ${BODY_MAX_BYTES} bytes`);
    pieces.push(piece);
  }
  let value: unknown;
  try {
    value = size === 0 ? {} : JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    throw new OciError('BODY_INVALID', 'body: not JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new OciError('BODY_INVALID', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
