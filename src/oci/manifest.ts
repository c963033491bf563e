import { z } from 'zod';
import { type Digest, isDigest } from './digest.ts';
import { OciError } from './errors.ts';
import {
  bareMediaType,
  isForeignLayer,
  isManifestMediaType,
  MANIFEST_SHAPES,
  type ManifestMediaType,
} from './media-types.ts';
import { scanJson } from './strict-json.ts';

/** OCI Distribution 1.1 "Pushing manifests": a registry should accept at least this much; Berth accepts no more. */
export const MANIFEST_MAX_BYTES = 4 * 1024 * 1024;

/** What a manifest needs to be there: a blob (config or layer) or another manifest. */
export interface ManifestTarget {
  kind: 'config' | 'layer' | 'manifest';
  digest: Digest;
}

/** A manifest read once: the bytes are kept as they came, the rest is what the registry acts on. */
export interface ParsedManifest {
  mediaType: ManifestMediaType;
  /** Each digest once, without foreign layers. */
  targets: ManifestTarget[];
  subject: Digest | undefined;
  /** OCI Distribution 1.1 "Listing Referrers": the manifest's own, else the config's media type. */
  artifactType: string | undefined;
  annotations: Record<string, string> | undefined;
}

const digest = z.string().refine(isDigest, 'not a sha256 or sha512 digest');
/** No control characters: a NUL is not even text to PostgreSQL. */
const label = z
  .string()
  .max(255)
  .regex(/^\P{Cc}*$/u, 'holds a control character');
const annotations = z.record(z.string(), z.string());
const descriptor = z.object({
  mediaType: label.min(1),
  digest,
  size: z.int().nonnegative(),
  urls: z.array(z.string()).nullish(),
  annotations: annotations.nullish(),
});
const shared = {
  mediaType: z.string().optional(),
  artifactType: label.optional(),
  subject: descriptor.nullish(),
  annotations: annotations.nullish(),
};
const SHAPES = {
  image: z.object({ ...shared, schemaVersion: z.literal(2), config: descriptor, layers: z.array(descriptor) }),
  index: z.object({ ...shared, schemaVersion: z.literal(2), manifests: z.array(descriptor) }),
  artifact: z.object({
    ...shared,
    mediaType: z.string(),
    artifactType: label.min(1),
    blobs: z.array(descriptor).nullish(),
  }),
};

/**
 * Reads a manifest of at most 4 MiB: OCI image manifest, index and artifact, Docker v2 schema 2 and manifest list.
 *
 * @param contentType the request's `Content-Type`; it must agree with a `mediaType` in the document
 * @throws OciError MANIFEST_TOO_LARGE, or MANIFEST_INVALID with the field that is wrong
 */
export function parseManifest(bytes: Uint8Array, contentType: string | null): ParsedManifest {
  if (bytes.byteLength > MANIFEST_MAX_BYTES) {
    throw new OciError('MANIFEST_TOO_LARGE', `manifest: ${bytes.byteLength} bytes; the limit is ${MANIFEST_MAX_BYTES}`);
  }
  const document = parseDocument(bytes);
  const mediaType = agreeOnMediaType(document, contentType);
  const shape = MANIFEST_SHAPES[mediaType];
  const result = SHAPES[shape].safeParse(document);
  if (!result.success) {
    const issue = result.error.issues[0];
    const field = issue?.path.join('.') || 'manifest';
    throw invalid(`${field}: ${issue?.message ?? 'has the wrong type'}`, { field });
  }
  refuseOtherShape(document, shape);
  const manifest = result.data;
  const targets = new Map<string, ManifestTarget>();
  const add = (kind: ManifestTarget['kind'], found: z.infer<typeof descriptor>) => {
    if (kind === 'layer' && isForeignLayer(found.mediaType)) return;
    const other = targets.get(found.digest)?.kind;
    if (other !== undefined && (other === 'manifest') !== (kind === 'manifest')) {
      throw invalid(`manifests: ${found.digest} stands for a manifest and for a blob`, { field: 'manifests' });
    }
    targets.set(found.digest, { kind, digest: found.digest });
  };
  let configType: string | undefined;
  if ('layers' in manifest) {
    for (const layer of manifest.layers) add('layer', layer);
    add('config', manifest.config);
    configType = manifest.config.mediaType;
  } else if ('manifests' in manifest) {
    // BuildKit's registry cache is an index whose entries are layers and a config, not manifests.
    for (const child of manifest.manifests) add(isManifestMediaType(child.mediaType) ? 'manifest' : 'layer', child);
  } else {
    for (const blob of manifest.blobs ?? []) add('layer', blob);
  }
  return {
    mediaType,
    targets: [...targets.values()],
    subject: manifest.subject?.digest,
    artifactType: manifest.artifactType || configType,
    annotations: manifest.annotations ?? undefined,
  };
}

/** A document that is an image to one reader and an index to another would be two things under one digest. */
function refuseOtherShape(document: Record<string, unknown>, shape: keyof typeof SHAPES): void {
  const field = shape === 'index' ? ['config', 'layers'].find((key) => key in document) : 'manifests';
  if (field === undefined || !(field in document)) return;
  throw invalid(`${field}: has no place in ${shape === 'index' ? 'an index' : `an ${shape} manifest`}`, { field });
}

function parseDocument(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let document: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid('manifest: not UTF-8');
  }
  const fault = scanJson(text);
  if (fault !== undefined) throw invalid(`manifest: ${fault.reason} (at character ${fault.at})`);
  try {
    document = JSON.parse(text);
  } catch {
    throw invalid('manifest: not JSON');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalid('manifest: not a JSON object');
  }
  return document as Record<string, unknown>;
}

/** OCI Distribution 1.1 "Pushing Manifests": a `mediaType` in the document MUST match the `Content-Type`. */
function agreeOnMediaType(document: Record<string, unknown>, contentType: string | null): ManifestMediaType {
  const header = bareMediaType(contentType);
  const field = document.mediaType;
  if (field !== undefined && typeof field !== 'string')
    throw invalid('mediaType: not a string', { field: 'mediaType' });
  if (header !== '' && field !== undefined && header !== field) {
    throw invalid(
      `mediaType: ${JSON.stringify(field.slice(0, 200))} is not the Content-Type ${JSON.stringify(header.slice(0, 200))}`,
      {
        field: 'mediaType',
      },
    );
  }
  const mediaType = header || field || '';
  if (!isManifestMediaType(mediaType)) {
    throw invalid(
      `Content-Type: ${JSON.stringify(mediaType.slice(0, 200))} is not a manifest; accepted: ${Object.keys(MANIFEST_SHAPES).join(', ')}`,
      { field: 'Content-Type' },
    );
  }
  if (document.schemaVersion === 1)
    throw invalid('schemaVersion: Docker schema 1 is not supported; push schema 2 or OCI');
  return mediaType;
}

function invalid(reason: string, detail: Record<string, unknown> = {}): OciError {
  return new OciError('MANIFEST_INVALID', reason, detail);
}
