import { isDigest } from '../oci/digest.ts';
import { isRepositoryName, parseRepositoryName, parseTag, type RepositoryName } from '../oci/names.ts';
import { invalid, record } from './definition.ts';
import type { ComposeFile, ComposeService } from './file.ts';
import { interpolate } from './variables.ts';

/** The parts of `[HOST/]NAME[:TAG][@DIGEST]`; `host` is undefined where docker would ask Docker Hub. */
export type ImageName = { host: string | undefined; name: string; tag: string | undefined; digest: string | undefined };

/** An image of this registry: `reference` is a tag or a digest. */
export type RegistryImage = { repository: RepositoryName; reference: string };

/** Reads the name of an image as docker does. Undefined for what is none. Variables are to be put in before. */
export function parseImage(text: string): ImageName | undefined {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  const hasTag = colon > rest.lastIndexOf('/');
  const tag = hasTag ? rest.slice(colon + 1) : undefined;
  const path = hasTag ? rest.slice(0, colon) : rest;
  const slash = path.indexOf('/');
  const first = path.slice(0, Math.max(0, slash));
  const hasHost = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const name = hasHost ? path.slice(slash + 1) : path;
  if (!isRepositoryName(name) || (digest !== undefined && !isDigest(digest))) return undefined;
  if (tag !== undefined && !/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/.test(tag)) return undefined;
  return { host: hasHost ? first : undefined, name, tag, digest };
}

/**
 * The services whose images are of this registry. An image is: when its host is one of `hosts` or loopback (any port), when it has no host and
 * begins with `namespace`, or when `x-berth: { repository: … }` says so.
 *
 * @param hosts with their ports, as in images' names
 * @throws OciError BODY_INVALID for an image of elsewhere that is not pinned by its digest
 */
export function registryImages(
  file: ComposeFile,
  { hosts, namespace }: { hosts: readonly string[]; namespace: string },
): Map<string, RegistryImage> {
  const images = new Map<string, RegistryImage>();
  for (const service of file.services.values()) {
    const image = imageOf(service, hosts, namespace);
    if (image !== undefined) images.set(service.name, image);
  }
  return images;
}

function imageOf(service: ComposeService, hosts: readonly string[], namespace: string): RegistryImage | undefined {
  const where = `services.${service.name}`;
  const image = service.image === undefined ? undefined : readImage(service.image, `${where}.image`);
  const declared = record(service.definition['x-berth']).repository;
  if (declared !== undefined) {
    if (typeof declared !== 'string' || !isRepositoryName(declared)) {
      throw invalid(
        `${where}.x-berth.repository: ${JSON.stringify(declared)} is not the name of a repository, as in ${namespace}/web`,
      );
    }
    return { repository: declared, reference: image?.digest ?? image?.tag ?? 'latest' };
  }
  if (service.image === undefined) return undefined;
  if (image === undefined) {
    throw invalid(
      `${where}.image: ${JSON.stringify(service.image.slice(0, 300))} is not the name of an image; where a variable holds a part of it, say \`x-berth: { repository: ${namespace}/NAME }\``,
    );
  }
  const isHere =
    image.host === undefined
      ? image.name.startsWith(`${namespace}/`)
      : hosts.includes(image.host) || isLoopback(image.host);
  if (isHere) {
    const repository = parseRepositoryName(image.name);
    return { repository, reference: image.digest ?? (image.tag === undefined ? 'latest' : parseTag(image.tag)) };
  }
  if (image.digest !== undefined) return undefined;
  const shown = `${image.host === undefined ? '' : `${image.host}/`}${image.name}:${image.tag ?? 'latest'}`;
  throw invalid(
    `${where}.image: ${shown} is of another registry, where a tag may move: write ${shown}@sha256:… (\`docker buildx imagetools inspect ${shown}\` prints the digest), or push it to this registry`,
  );
}

function readImage(text: string, where: string): ImageName | undefined {
  return parseImage(interpolate(text, undefined, `file: ${where}`).trim());
}

function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(host);
}
