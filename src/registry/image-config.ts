import type { Digest } from '../oci/digest.ts';
import type { RegistryContext } from './context.ts';

/** A config larger than this is not read. */
export const CONFIG_MAX_BYTES = 1024 * 1024;

const CONFIG_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);

/** Whether a config of this media type is an image's; an artifact's may be anything. */
export function isImageConfig(mediaType: string | undefined): boolean {
  return mediaType !== undefined && CONFIG_TYPES.has(mediaType);
}

/**
 * A config blob's JSON object, its fields unchecked: it is what somebody pushed. Undefined when it is too large, not there, no JSON or
 * no object.
 *
 * @throws StoreUnavailableError
 */
export async function readConfig(
  context: RegistryContext,
  config: { digest?: Digest; size?: number } | undefined,
): Promise<Record<string, unknown> | undefined> {
  if (config?.digest === undefined || (config.size ?? 0) > CONFIG_MAX_BYTES) return undefined;
  const blob = await context.store.read(config.digest);
  if (blob?.kind !== 'bytes' || blob.size > CONFIG_MAX_BYTES) return undefined;
  try {
    const document: unknown = JSON.parse(await blob.bytes.text());
    return typeof document === 'object' && document !== null && !Array.isArray(document)
      ? (document as Record<string, unknown>)
      : undefined;
  } catch {
    // No JSON; or removed since it was found.
    return undefined;
  }
}

const PLATFORM_PART = /^[\w.+-]{1,64}$/;

/**
 * `linux/arm64/v8`, of a config or of an index's entry: operating system, architecture and, where there is one, variant. Null when the
 * first two are not said.
 */
export function platformText(said: unknown): string | null {
  if (typeof said !== 'object' || said === null) return null;
  const { os, architecture, variant } = said as Record<string, unknown>;
  if (!isPart(os) || !isPart(architecture)) return null;
  return isPart(variant) ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

function isPart(value: unknown): value is string {
  return typeof value === 'string' && PLATFORM_PART.test(value);
}
