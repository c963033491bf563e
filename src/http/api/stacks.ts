import { z } from 'zod';
import { pageQuery } from '../../api/page.ts';
import { resolveBody, resolvedSet } from '../../api/releases.ts';
import { newStackBody, type StackInfo, stackFile, stackFileBody, stackInfo, stackPage } from '../../api/stacks.ts';
import { isDigest } from '../../oci/digest.ts';
import { OciError } from '../../oci/errors.ts';
import { findStack } from '../../releases/find.ts';
import { resolveSet } from '../../releases/sets.ts';
import {
  createStack,
  deleteStack,
  getStack,
  listStacks,
  type Stack,
  stackFileText,
  updateStackFile,
  type Viewpoint,
} from '../../releases/stacks.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiContext, type ApiRoute, apiRoute, iso } from './route.ts';

export const STACK_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/stacks',
    access: 'read',
    target: 'catalog',
    summary: 'The stacks that the caller may read, in the order of their names',
    chapter: 'stacks',
    query: pageQuery,
    answer: stackPage,
    async handler(context, request) {
      const readable = await request.readableStacks();
      const stacks = await listStacks(context.releases, readable.kind === 'all' ? 'all' : readable.namespaces);
      const roles = new Map<string, StackInfo['role']>();
      for (const namespace of new Set(stacks.map(namespaceOf))) {
        roles.set(namespace, await roleIn(context, request, namespace));
      }
      return {
        stacks: stacks.map((stack) => stackInfoOf(stack, roles.get(namespaceOf(stack)) ?? 'read')),
        next: null,
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks',
    access: 'write',
    summary: 'Make a stack of a compose file',
    chapter: 'stacks',
    body: newStackBody,
    answer: stackInfo,
    status: 201,
    async handler(context, request, { body }) {
      const { namespace } = placeOf(request);
      const made = await createStack(context.releases, namespace, body, viewOf(request), request.actor);
      return stackInfoOf(made, await roleIn(context, request, namespace));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack',
    access: 'read',
    summary: 'A stack',
    chapter: 'stacks',
    answer: stackInfo,
    async handler(context, request) {
      const { namespace, stack } = placeOf(request);
      const found = await getStack(context.releases, namespace, stack);
      return stackInfoOf(found, await roleIn(context, request, namespace));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/namespaces/:namespace/stacks/:stack',
    access: 'admin',
    summary: 'Delete a stack with its environments, releases and deployments',
    chapter: 'stacks',
    async handler({ releases }, request) {
      const { namespace, stack } = placeOf(request);
      await deleteStack(releases, namespace, stack, request.actor);
      return undefined;
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/file',
    access: 'read',
    summary: "A stack's compose file: the newest, or that of a release",
    chapter: 'stacks',
    query: z.object({ digest: z.string().optional().describe('of an older one') }),
    answer: stackFile,
    async handler({ releases }, request, { query }) {
      const { namespace, stack } = placeOf(request);
      const { read } = releases.database;
      const found = await findStack(read, namespace, stack);
      const digest = query.digest ?? found.file;
      if (!isDigest(digest)) throw new OciError('QUERY_INVALID', 'digest: not a sha256 or sha512 digest');
      return { digest, file: await stackFileText(read, found, digest) };
    },
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/file',
    access: 'write',
    summary: 'Give a stack another compose file, for the releases from then on',
    chapter: 'stacks',
    body: stackFileBody,
    answer: stackInfo,
    async handler(context, request, { body }) {
      const { namespace, stack } = placeOf(request);
      const view = viewOf(request);
      const changed = await updateStackFile(context.releases, namespace, stack, body.file, view, request.actor);
      return stackInfoOf(changed, await roleIn(context, request, namespace));
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/resolve',
    access: 'read',
    summary: 'What a laptop needs to run a set of versions; secrets are not in it',
    chapter: 'stacks',
    body: resolveBody,
    answer: resolvedSet,
    async handler({ releases }, request, { body }) {
      const { namespace, stack } = placeOf(request);
      return resolveSet(releases, namespace, stack, body, viewOf(request));
    },
  }),
];

/** What the path names. */
export function placeOf(request: BerthRequest): { namespace: string; stack: string; environment: string } {
  return {
    namespace: request.param('namespace'),
    stack: request.param('stack'),
    environment: request.param('environment'),
  };
}

/** How the caller names this registry in images, and what it may read. */
export function viewOf(request: BerthRequest): Viewpoint {
  return { hosts: [new URL(request.base).host], mayRead: (repository) => request.may('read', repository) };
}

/** A number of the path: of a release, a deployment. @throws OciError NOT_FOUND */
export function numberOf(request: BerthRequest, name: string): number {
  const text = request.param(name);
  if (/^v?[1-9]\d{0,8}$/.test(text)) return Number(text.replace('v', ''));
  throw new OciError('NOT_FOUND', `${name}: ${JSON.stringify(text.slice(0, 50))} is no number`);
}

/** What the caller may do with the stacks of a namespace, with the credential that it showed. */
async function roleIn(
  { authorizer }: ApiContext,
  { caller }: BerthRequest,
  namespace: string,
): Promise<StackInfo['role']> {
  for (const role of ['admin', 'write'] as const) {
    const verdict = await authorizer.authorize(caller, role, { kind: 'stack', namespace, stack: '' });
    if (verdict.kind === 'allowed') return role;
  }
  return 'read';
}

function namespaceOf(stack: Stack): string {
  return stack.name.slice(0, stack.name.indexOf('/'));
}

function stackInfoOf(stack: Stack, role: StackInfo['role']): StackInfo {
  return { ...stack, role, createdAt: iso(stack.createdAt), updatedAt: iso(stack.updatedAt) };
}
