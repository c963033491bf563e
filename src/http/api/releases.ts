import { pageQuery } from '../../api/page.ts';
import {
  newReleaseBody,
  type ReleaseInfo,
  releaseDiff,
  releaseInfo,
  releasePage,
  revokeReleaseBody,
} from '../../api/releases.ts';
import { createRelease, diffReleases, getRelease, listReleases, type Release } from '../../releases/releases.ts';
import { revokeRelease } from '../../releases/revocations.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull, limitOf, numberCursor } from './route.ts';
import { numberOf, placeOf, viewOf } from './stacks.ts';

export const RELEASE_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/releases',
    access: 'read',
    summary: 'The releases of a stack, newest first',
    chapter: 'releases',
    query: pageQuery,
    answer: releasePage,
    async handler({ releases }, request) {
      const { namespace, stack } = placeOf(request);
      const page = await listReleases(releases, namespace, stack, {
        before: numberCursor(request),
        limit: limitOf(request),
      });
      return {
        releases: page.releases.map(releaseInfoOf),
        next: page.more ? String(page.releases.at(-1)?.number) : null,
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/releases',
    access: 'write',
    summary: 'Make a release: references are resolved once, to digests',
    chapter: 'releases',
    body: newReleaseBody,
    answer: releaseInfo,
    status: 201,
    async handler({ releases }, request, { body }) {
      const { namespace, stack } = placeOf(request);
      return releaseInfoOf(await createRelease(releases, namespace, stack, body, viewOf(request), request.actor));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/releases/:number',
    access: 'read',
    summary: 'A release',
    chapter: 'releases',
    answer: releaseInfo,
    async handler({ releases }, request) {
      const { namespace, stack } = placeOf(request);
      return releaseInfoOf(await getRelease(releases, namespace, stack, numberOf(request, 'number')));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/releases/:number/diff/:other',
    access: 'read',
    summary: 'What another release has that is different',
    chapter: 'releases',
    answer: releaseDiff,
    handler({ releases }, request) {
      const { namespace, stack } = placeOf(request);
      return diffReleases(releases, namespace, stack, numberOf(request, 'number'), numberOf(request, 'other'));
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/namespaces/:namespace/stacks/:stack/releases/:number/revoke',
    access: 'write',
    summary: 'Let no automation deploy a release any more',
    chapter: 'releases',
    body: revokeReleaseBody,
    answer: releaseInfo,
    async handler({ releases }, request, { body }) {
      const { namespace, stack } = placeOf(request);
      const number = numberOf(request, 'number');
      return releaseInfoOf(await revokeRelease(releases, namespace, stack, number, body, request.actor));
    },
  }),
];

function releaseInfoOf(release: Release): ReleaseInfo {
  return {
    ...release,
    createdAt: iso(release.createdAt),
    revoked: release.revoked.map((each) => ({ ...each, at: iso(each.at) })),
    expiredAt: isoOrNull(release.expiredAt),
  };
}
