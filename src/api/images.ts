import { z } from 'zod';
import { time } from './page.ts';

export const imageKind = z
  .enum(['image', 'index', 'artifact'])
  .describe('index: one image a platform; artifact: no image, e.g. a signature or a chart');

/** `linux/arm64/v8`: operating system, architecture and, where there is one, variant. */
const platform = z.string().nullable().describe('`linux/arm64/v8`; null when it is not said');

/** An image of an index, or the one of a manifest that is an image. */
export const platformImage = z.object({
  platform,
  digest: z.string(),
  size: z.number().int().describe('bytes of its config and layers, as a pull takes them'),
  available: z.boolean().describe('whether its manifest is here'),
});
export type PlatformImage = z.infer<typeof platformImage>;

export const imageLayer = z.object({
  digest: z.string().nullable().describe('null for a step that made no layer'),
  mediaType: z.string().nullable(),
  size: z.number().int(),
  command: z.string().describe('the command that made it, as the image tells; empty when it does not'),
  createdAt: z.string().nullable(),
});
export type ImageLayer = z.infer<typeof imageLayer>;

export const imageConfig = z.object({
  platform,
  createdAt: z.string().nullable(),
  author: z.string().nullable(),
  user: z.string().nullable(),
  workingDirectory: z.string().nullable(),
  entrypoint: z.array(z.string()),
  command: z.array(z.string()),
  environment: z.array(z.object({ name: z.string(), value: z.string() })),
  ports: z.array(z.string()).describe('`80/tcp`'),
  volumes: z.array(z.string()),
  labels: z.record(z.string(), z.string()),
  stopSignal: z.string().nullable(),
  healthcheck: z.array(z.string()).nullable(),
});
export type ImageConfig = z.infer<typeof imageConfig>;

/** What is said about an image elsewhere: a signature, an SBOM, an attestation. */
export const imageReferrer = z.object({
  digest: z.string(),
  mediaType: z.string(),
  artifactType: z.string().nullable(),
  size: z.number().int().describe('bytes of its manifest and of what that names'),
  annotations: z.record(z.string(), z.string()),
  how: z
    .enum(['subject', 'index', 'tag'])
    .describe("how it is bound to the image: its `subject`, BuildKit's entry in the index, cosign's tag"),
  pushedAt: time.nullable(),
  pushedBy: z.string().nullable(),
  parts: z
    .array(
      z.object({
        digest: z.string(),
        mediaType: z.string(),
        size: z.number().int(),
        annotations: z.record(z.string(), z.string()),
      }),
    )
    .describe('its layers, the first 50: what `content` reads'),
});
export type ImageReferrer = z.infer<typeof imageReferrer>;

export const imageInfo = z.object({
  repository: z.string(),
  digest: z.string(),
  kind: imageKind,
  mediaType: z.string(),
  artifactType: z.string().nullable(),
  size: z.number().int().describe('bytes of its manifest and of all that it names, each once'),
  pushedAt: time,
  pushedBy: z.string(),
  pulledAt: time.nullable().describe('by a GET of its manifest; exact to some minutes'),
  tags: z.array(z.string()).describe('that point at it now; the first 100'),
  subject: z.string().nullable().describe('what it is about, of a referrer'),
  annotations: z.record(z.string(), z.string()),
  revision: z.string().nullable().describe('org.opencontainers.image.revision, of annotations or labels'),
  source: z.string().nullable(),
  version: z.string().nullable(),
  platforms: z.array(platformImage).describe('of an index its images, of an image itself, of an artifact nothing'),
  config: imageConfig.nullable().describe('of an image'),
  layers: z.array(imageLayer).describe('of an image, the base first; of an artifact its parts; the first 1,000'),
  referrers: z.array(imageReferrer).describe('the first 100'),
});
export type ImageInfo = z.infer<typeof imageInfo>;

export const imageUsage = z.object({
  deployments: z
    .array(z.object({ stack: z.string(), environment: z.string(), running: z.boolean(), text: z.string() }))
    .describe('of stacks that you may read; running: a target says that it runs it'),
  /** Users of it in stacks that the caller may not read. */
  hiddenDeployments: z.number().int(),
  reasons: z
    .array(z.object({ root: z.string(), path: z.array(z.string()) }))
    .describe('what keeps it from garbage collection, in this repository; the first 100; none: the next one takes it'),
  shared: z
    .array(z.object({ repository: z.string(), bytes: z.number().int(), layers: z.number().int() }))
    .describe('repositories that you may read which have layers of it too, this one not among them; the 20 largest'),
});
export type ImageUsage = z.infer<typeof imageUsage>;

export const contentQuery = z.object({
  digest: z.string().describe('of a config or a layer that the manifest names'),
});

export const imageContent = z.object({
  mediaType: z.string(),
  size: z.number().int(),
  text: z.string().nullable().describe('null when it is not text'),
  truncated: z.boolean().describe('only the first MiB is given'),
});
export type ImageContent = z.infer<typeof imageContent>;
