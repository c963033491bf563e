import {
  defaultQuotaBody,
  defaultQuotaInfo,
  type NamespaceUsageInfo,
  namespaceUsage,
  quotaBody,
  usagePage,
  usageQuery,
} from '../../api/quotas.ts';
import { OciError } from '../../oci/errors.ts';
import { isRepositoryName } from '../../oci/names.ts';
import {
  defaultQuota,
  listUsage,
  type NamespaceUsage,
  readUsage,
  removeQuota,
  setDefaultQuota,
  setQuota,
} from '../../registry/quotas.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiRoute, apiRoute, limitOf } from './route.ts';

/** Names without a namespace, in paths and answers. No namespace can be called so. */
const UNNAMED = '_';

export const QUOTA_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/quotas',
    access: 'administrator',
    summary: 'What each namespace holds and may hold, in the order of their names',
    chapter: 'quotas',
    query: usageQuery,
    answer: usagePage,
    async handler({ registry }, request, { query }) {
      const limit = limitOf(request);
      const last = query.last === undefined ? undefined : namespaceOf(query.last);
      const found = await listUsage(registry, { last, limit });
      return { namespaces: found.map(usageInfo), next: found.length < limit ? null : shown(found.at(-1)) };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/quotas/:holder',
    access: 'administrator',
    summary: 'What a namespace holds and may hold; `_` for names without one',
    chapter: 'quotas',
    answer: namespaceUsage,
    handler: async ({ registry }, request) => usageInfo(await readUsage(registry, namespaceIn(request))),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/quotas/:holder',
    access: 'administrator',
    summary: 'Say how much a namespace may hold; what is there already stays',
    chapter: 'quotas',
    body: quotaBody,
    answer: namespaceUsage,
    handler: async ({ registry }, request, { body }) =>
      usageInfo(await setQuota(registry, namespaceIn(request), body.bytes, request.actor)),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/quotas/:holder',
    access: 'administrator',
    summary: "Take a namespace's own quota away, so that the default holds",
    chapter: 'quotas',
    handler: ({ registry }, request) => removeQuota(registry, namespaceIn(request), request.actor),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/default-quota',
    access: 'administrator',
    summary: 'How much a namespace without a quota of its own may hold',
    chapter: 'quotas',
    answer: defaultQuotaInfo,
    handler: async ({ registry }) => ({ bytes: (await defaultQuota(registry)) ?? null }),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/default-quota',
    access: 'administrator',
    summary: 'Set or take away the default quota; it holds at once',
    chapter: 'quotas',
    body: defaultQuotaBody,
    answer: defaultQuotaInfo,
    async handler({ registry }, request, { body }) {
      await setDefaultQuota(registry, body.bytes ?? undefined, request.actor);
      return body;
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/usage',
    access: 'admin',
    summary: 'What a user or an organization holds and may hold',
    chapter: 'quotas',
    answer: namespaceUsage,
    handler: async ({ registry }, request) => usageInfo(await readUsage(registry, request.param('namespace'))),
  }),
];

function namespaceIn(request: BerthRequest): string {
  return namespaceOf(request.param('holder'));
}

/** @throws OciError BODY_INVALID */
function namespaceOf(name: string): string {
  if (name === UNNAMED) return '';
  if (isRepositoryName(name) && !name.includes('/')) return name;
  throw new OciError(
    'BODY_INVALID',
    `name: ${JSON.stringify(name.slice(0, 100))} is no namespace; \`_\` stands for names without one`,
  );
}

function usageInfo(usage: NamespaceUsage): NamespaceUsageInfo {
  return { ...usage, namespace: shown(usage) };
}

function shown(usage: NamespaceUsage | undefined): string {
  return usage === undefined || usage.namespace === '' ? UNNAMED : usage.namespace;
}
