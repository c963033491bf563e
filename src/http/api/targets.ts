import { enrolledTarget, newTargetBody, type TargetInfo, targetList } from '../../api/deployments.ts';
import { enrollTarget, listTargets, revokeTarget, type Target } from '../../releases/targets.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull } from './route.ts';
import { placeOf } from './stacks.ts';

export const TARGET_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/targets',
    access: 'read',
    summary: 'The servers of an environment, and what they run',
    chapter: 'targets',
    answer: targetList,
    async handler({ releases }, request) {
      const { namespace, stack, environment } = placeOf(request);
      return { targets: (await listTargets(releases, namespace, stack, environment)).map(targetInfoOf) };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/targets',
    access: 'admin',
    summary: 'Enroll a server; its token is shown this once, in the command to run there',
    chapter: 'targets',
    body: newTargetBody,
    answer: enrolledTarget,
    status: 201,
    async handler({ releases }, request, { body }) {
      const { namespace, stack, environment } = placeOf(request);
      const { target, token } = await enrollTarget(releases, namespace, stack, environment, body.name, request.actor);
      return {
        target: targetInfoOf(target),
        token,
        command: `berth agent --server ${request.base} --token ${token}`,
      };
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/environments/:environment/targets/:target',
    access: 'admin',
    summary: "End a server's token; what runs there goes on running",
    chapter: 'targets',
    async handler({ releases }, request) {
      const { namespace, stack, environment } = placeOf(request);
      await revokeTarget(releases, namespace, stack, environment, request.param('target'), request.actor);
      return undefined;
    },
  }),
];

export function targetInfoOf(target: Target): TargetInfo {
  return {
    ...target,
    revokedAt: isoOrNull(target.revokedAt),
    enrolledAt: iso(target.enrolledAt),
    lastSeenAt: isoOrNull(target.lastSeenAt),
    reportedAt: isoOrNull(target.reportedAt),
  };
}
