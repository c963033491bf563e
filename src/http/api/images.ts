import { contentQuery, type ImageInfo, imageContent, imageInfo, imageUsage } from '../../api/images.ts';
import { isDigest, parseDigest } from '../../oci/digest.ts';
import { OciError } from '../../oci/errors.ts';
import { parseReference, parseRepositoryName } from '../../oci/names.ts';
import { getImageUsage } from '../../registry/image-usage.ts';
import { getImage, getImageContent, type Image } from '../../registry/images.ts';
import { deleteManifest } from '../../registry/manifests.ts';
import { countUsersBeside, imageUsers, type StackNamespaces } from '../../releases/roots.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiContext, type ApiRoute, apiRoute, iso, isoOrNull } from './route.ts';

export const IMAGE_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/images/:reference',
    access: 'read',
    summary: 'What a tag or a digest names: platforms, configuration, layers, what refers to it',
    chapter: 'images',
    answer: imageInfo,
    async handler({ registry }, request) {
      const { name, reference } = placeOf(request);
      return imageInfoOf(name, await getImage(registry, name, reference));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/images/:reference/usage',
    access: 'read',
    summary: 'Where an image is deployed, what keeps it, which repositories have layers of it',
    chapter: 'images',
    answer: imageUsage,
    async handler(context, request) {
      const { name, reference } = placeOf(request);
      const { read } = context.registry.database;
      const { relatives, reasons, shared } = await getImageUsage(
        context.registry,
        name,
        reference,
        await request.readable(),
      );
      const stacks = await request.readableStacks();
      const namespaces = stacks.kind === 'all' ? 'all' : stacks.namespaces;
      const users = await imageUsers(read, relatives, namespaces, name);
      return {
        deployments: users.flatMap(({ namespace, stack, environment, running, text }) =>
          environment === null ? [] : [{ stack: `${namespace}/${stack}`, environment, running, text }],
        ),
        hiddenDeployments: await countUsersBeside(read, relatives, namespaces, name),
        reasons: await namedReasons(context, name, reasons, namespaces),
        shared,
      };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/repositories/:name{.+}/images/:reference/content',
    access: 'read',
    summary: 'The beginning of a config or a layer of an image, as text',
    chapter: 'images',
    query: contentQuery,
    answer: imageContent,
    async handler({ registry }, request, { query }) {
      const { name, reference } = placeOf(request);
      return getImageContent(registry, name, reference, parseDigest(query.digest));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/repositories/:name{.+}/images/:reference',
    access: 'delete',
    summary: 'Delete the image with a digest, and the tags on it; refused while something uses it',
    chapter: 'images',
    async handler({ registry }, request) {
      const reference = request.param('reference');
      if (!isDigest(reference)) {
        throw new OciError(
          'DIGEST_INVALID',
          `reference: ${JSON.stringify(reference.slice(0, 200))} is not a digest; images are deleted by digest, as a tag may have moved on meanwhile`,
        );
      }
      await deleteManifest(registry, parseRepositoryName(request.param('name')), reference, request.actor);
    },
  }),
];

function placeOf(request: BerthRequest) {
  return {
    name: parseRepositoryName(request.param('name')),
    reference: parseReference(request.param('reference')),
  };
}

/** With who uses it in place of "in use", where the caller may know. */
async function namedReasons(
  { registry }: ApiContext,
  name: ReturnType<typeof placeOf>['name'],
  reasons: Awaited<ReturnType<typeof getImageUsage>>['reasons'],
  namespaces: StackNamespaces,
): Promise<{ root: string; path: string[] }[]> {
  const named: { root: string; path: string[] }[] = [];
  for (const { root, path } of reasons) {
    const [manifest] = path;
    const users =
      root === 'in use' && manifest !== undefined
        ? await imageUsers(registry.database.read, [manifest], namespaces, name)
        : [];
    if (users.length === 0) named.push({ root, path });
    else named.push(...users.map((user) => ({ root: user.text, path })));
  }
  return named;
}

function imageInfoOf(repository: string, image: Image): ImageInfo {
  return {
    repository,
    ...image,
    pushedAt: iso(image.pushedAt),
    pulledAt: isoOrNull(image.pulledAt),
    referrers: image.referrers.map((referrer) => ({ ...referrer, pushedAt: iso(referrer.pushedAt) })),
  };
}
