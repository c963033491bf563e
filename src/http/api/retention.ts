import {
  appliedRetention,
  MOST_PREVIEWED,
  type RetentionInfo,
  type RetentionPolicyInfo,
  retentionInfo,
  retentionPolicy,
  retentionPreview,
  retentionPreviewBody,
  retentionPreviewQuery,
  retentionRemovalPage,
  retentionRemovalQuery,
} from '../../api/retention.ts';
import { parseRepositoryName } from '../../oci/names.ts';
import type { Actor, RegistryContext } from '../../registry/context.ts';
import { getRepository } from '../../registry/repositories.ts';
import { applyRetention } from '../../registry/retention/apply.ts';
import { getRetention, type PolicyPlace, removeRetention, setRetention } from '../../registry/retention/policies.ts';
import type { RetentionPolicy } from '../../registry/retention/policy.ts';
import { previewRetention } from '../../registry/retention/preview.ts';
import { listRemovals } from '../../registry/retention/removals.ts';
import { type BerthRequest, pageSize } from '../request.ts';
import { type ApiContext, type ApiRoute, apiRoute, iso, isoOrNull, limitOf, numberCursor } from './route.ts';

const SHOW = { chapter: 'retention', answer: retentionInfo } as const;
const SET = { chapter: 'retention', body: retentionPolicy, answer: retentionInfo } as const;
const REMOVE = { chapter: 'retention' } as const;

/** A request removes tags for so long; who wants more asks again. */
const APPLY_MS = 5_000;
const PAUSE_MS = 5;
const PREVIEWED = 100;

export const RETENTION_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/instance/retention',
    ...SHOW,
    access: 'administrator',
    summary: 'The retention policy of repositories that have none nearer',
    handler: (context) => show(context, INSTANCE),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/instance/retention',
    ...SET,
    access: 'administrator',
    summary: 'Set the retention policy of repositories that have none nearer',
    handler: (context, request, { body }) => set(context, INSTANCE, body, request.actor),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/instance/retention',
    ...REMOVE,
    access: 'administrator',
    summary: 'Remove the retention policy of repositories that have none nearer',
    handler: ({ registry }, request) => remove(registry, INSTANCE, request.actor),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/retention',
    ...SHOW,
    access: 'admin',
    summary: 'The retention policy of all repositories of a user or an organization',
    handler: (context, request) => show(context, namespaceOf(request)),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/namespaces/:namespace/retention',
    ...SET,
    access: 'admin',
    summary: 'Set the retention policy of all repositories of a user or an organization',
    handler: (context, request, { body }) => set(context, namespaceOf(request), body, request.actor),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/namespaces/:namespace/retention',
    ...REMOVE,
    access: 'admin',
    summary: 'Remove the retention policy of a user or an organization; the one of the instance holds then',
    handler: ({ registry }, request) => remove(registry, namespaceOf(request), request.actor),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/retention',
    ...SHOW,
    access: 'read',
    summary: 'The retention policy of a repository, and the one that holds in it',
    handler: (context, request) => show(context, repositoryOf(request)),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/repositories/:name{.+}/retention',
    ...SET,
    access: 'admin',
    summary: 'Set the retention policy of a repository, in place of the one of its namespace',
    handler: (context, request, { body }) => set(context, repositoryOf(request), body, request.actor),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/repositories/:name{.+}/retention',
    ...REMOVE,
    access: 'admin',
    summary: 'Remove the retention policy of a repository; the one of its namespace holds then',
    handler: ({ registry }, request) => remove(registry, repositoryOf(request), request.actor),
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/repositories/:name{.+}/retention/preview',
    access: 'admin',
    summary: 'Say of each tag whether it would go by a policy, and why; changes nothing',
    chapter: 'retention',
    query: retentionPreviewQuery,
    body: retentionPreviewBody,
    answer: retentionPreview,
    async handler({ registry }, request, { query, body }) {
      const name = parseRepositoryName(request.param('name'));
      const { policy, counts, tags, next } = await previewRetention(registry, name, body.policy, {
        decision: query.decision,
        last: query.last,
        limit: Math.max(1, pageSize(request, MOST_PREVIEWED) ?? PREVIEWED),
      });
      return {
        policy: policyInfo(policy),
        counts,
        tags: tags.map(({ pushedAt, pulledAt, keep, ...tag }) => ({
          ...tag,
          pushedAt: iso(pushedAt),
          pulledAt: isoOrNull(pulledAt),
          decision: keep ? ('keep' as const) : ('remove' as const),
        })),
        next,
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/repositories/:name{.+}/retention/apply',
    access: 'admin',
    summary:
      'Remove now what the policy that holds does not keep, for some seconds; garbage collection does so by itself',
    chapter: 'retention',
    answer: appliedRetention,
    async handler({ registry }, request) {
      const repository = await getRepository(registry, parseRepositoryName(request.param('name')));
      const until = performance.now() + APPLY_MS;
      return applyRetention(registry, repository, {
        dryRun: false,
        actor: request.actor,
        breathe: () => Bun.sleep(PAUSE_MS),
        enough: () => performance.now() > until,
      });
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/retention/removals',
    access: 'read',
    summary: 'Tags that a retention policy removed in the last 90 days, and why; newest first',
    chapter: 'retention',
    query: retentionRemovalQuery,
    answer: retentionRemovalPage,
    async handler({ registry }, request) {
      const { removals, more } = await listRemovals(registry, parseRepositoryName(request.param('name')), {
        before: numberCursor(request),
        limit: limitOf(request),
      });
      return {
        removals: removals.map(({ id, at, ...removal }) => ({ id: String(id), ...removal, at: iso(at) })),
        next: more ? String(removals.at(-1)?.id) : null,
      };
    },
  }),
];

const INSTANCE: PolicyPlace = { kind: 'instance' };

function namespaceOf(request: BerthRequest): PolicyPlace {
  return { kind: 'namespace', name: request.param('namespace') };
}

function repositoryOf(request: BerthRequest): PolicyPlace {
  return { kind: 'repository', name: parseRepositoryName(request.param('name')) };
}

async function show({ registry }: ApiContext, place: PolicyPlace): Promise<RetentionInfo> {
  const { own, holds } = await getRetention(registry, place);
  return {
    own: own === undefined ? null : policyInfo(own.policy),
    holds: holds === undefined ? null : policyInfo(holds.policy),
    from: holds?.from ?? null,
    updatedAt: isoOrNull(holds?.updatedAt ?? null),
    updatedBy: holds?.updatedBy ?? null,
  };
}

async function set(
  context: ApiContext,
  place: PolicyPlace,
  policy: RetentionPolicyInfo,
  actor: Actor,
): Promise<RetentionInfo> {
  await setRetention(context.registry, place, policy, actor);
  return show(context, place);
}

async function remove(registry: RegistryContext, place: PolicyPlace, actor: Actor): Promise<undefined> {
  await removeRetention(registry, place, actor);
}

function policyInfo({ rules, untagged }: RetentionPolicy): RetentionPolicyInfo {
  return { rules: rules.map((rule) => ({ ...rule, match: [...rule.match] })), untagged };
}
