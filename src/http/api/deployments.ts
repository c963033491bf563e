import {
  type DeploymentInfo,
  deployBody,
  deploymentInfo,
  deploymentPage,
  plan,
  planBody,
  promoteBody,
  rollbackBody,
} from '../../api/deployments.ts';
import { pageQuery } from '../../api/page.ts';
import { cancelDeployment, startDeployment } from '../../releases/deploy.ts';
import { type Deployment, getDeployment, listDeployments } from '../../releases/deployments.ts';
import type { Wish } from '../../releases/intent.ts';
import { planDeployment } from '../../releases/plan.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiContext, type ApiRoute, apiRoute, iso, isoOrNull, limitOf, numberCursor } from './route.ts';
import { numberOf, placeOf, viewOf } from './stacks.ts';

export const DEPLOYMENT_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/deployments',
    access: 'read',
    summary: 'What was deployed to an environment, newest first',
    chapter: 'deployments',
    query: pageQuery,
    answer: deploymentPage,
    async handler({ releases }, request) {
      const { namespace, stack, environment } = placeOf(request);
      const page = { before: numberCursor(request), limit: limitOf(request) };
      const { deployments, more } = await listDeployments(releases, namespace, stack, environment, page);
      return {
        deployments: deployments.map(deploymentInfoOf),
        next: more ? String(deployments.at(-1)?.number) : null,
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/deployments',
    access: 'write',
    summary: 'Deploy a release, or what references name now',
    chapter: 'deployments',
    body: deployBody,
    answer: deploymentInfo,
    status: 201,
    handler: (context, request, { body }) => start(context, request, { kind: 'deploy', ...body }),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/deployments/:number',
    access: 'read',
    summary: 'A deployment, and what each target made of it',
    chapter: 'deployments',
    answer: deploymentInfo,
    async handler({ releases }, request) {
      const { namespace, stack, environment } = placeOf(request);
      return deploymentInfoOf(
        await getDeployment(releases, namespace, stack, environment, numberOf(request, 'number')),
      );
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/deployments/:number/cancel',
    access: 'write',
    summary: 'Cancel a deployment that waits, or that is under way: then what was stable before comes back',
    chapter: 'deployments',
    answer: deploymentInfo,
    async handler({ releases }, request) {
      const number = numberOf(request, 'number');
      return deploymentInfoOf(await cancelDeployment(releases, placeOf(request), number, request.actor));
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/promote',
    access: 'write',
    summary: 'Deploy the release that another environment runs: the same digests',
    chapter: 'deployments',
    body: promoteBody,
    answer: deploymentInfo,
    status: 201,
    handler: (context, request, { body }) => start(context, request, { kind: 'promote', ...body }),
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/rollback',
    access: 'write',
    summary: 'Bring the last stable deployment back: image, compose file and config together',
    chapter: 'deployments',
    body: rollbackBody,
    answer: deploymentInfo,
    status: 201,
    handler: (context, request, { body }) => start(context, request, { kind: 'rollback', ...body }),
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/plan',
    access: 'read',
    summary: 'What a deployment, promotion or rollback would do, and why it would be refused',
    chapter: 'deployments',
    body: planBody,
    answer: plan,
    handler: ({ releases }, request, { body }) => planDeployment(releases, placeOf(request), body, viewOf(request)),
  }),
];

async function start({ releases }: ApiContext, request: BerthRequest, wish: Wish): Promise<DeploymentInfo> {
  const place = placeOf(request);
  if (wish.force) await request.require('admin', { kind: 'stack', namespace: place.namespace, stack: place.stack });
  return deploymentInfoOf(await startDeployment(releases, place, wish, viewOf(request), request.actor));
}

export function deploymentInfoOf(deployment: Deployment): DeploymentInfo {
  return {
    ...deployment,
    targets: deployment.targets.map((target) => ({ ...target, updatedAt: isoOrNull(target.updatedAt) })),
    createdAt: iso(deployment.createdAt),
    startedAt: isoOrNull(deployment.startedAt),
    finishedAt: isoOrNull(deployment.finishedAt),
    stableAt: isoOrNull(deployment.stableAt),
  };
}
