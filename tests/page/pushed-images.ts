// What real builders, cosign and others push about images, made small; and the same with hostile content in every text.
import { randomBytes } from 'node:crypto';
import { type Descriptor, mediaTypes } from '../support/registry.ts';
import type { Pushed, Pusher } from './pusher.ts';

export const REVISIONS = [
  '1111111111111111111111111111111111111111',
  '2222222222222222222222222222222222222222',
] as const;
export const PACKAGES = 640;

const IN_TOTO = 'application/vnd.in-toto+json';
const PREDICATE = 'in-toto.io/predicate-type';
const SPDX = 'https://spdx.dev/Document';
const PROVENANCE = 'https://slsa.dev/provenance/v1';
export const PLATFORMS = ['amd64', 'arm64'] as const;

export interface Shop {
  /** Two indexes of two platforms, with tags 1.0 and 1.1. */
  first: Version;
  second: Version;
  /** A Helm chart, tag `chart`. */
  chart: Descriptor;
}

export interface Version {
  index: Descriptor;
  images: Pushed[];
}

/** A repository as a team has it: two versions for two platforms, BuildKit's attestations, cosign's signature, an SBOM by its subject. */
export async function pushShop(pusher: Pusher, repository: string): Promise<Shop> {
  const base = randomBytes(200_000);
  const first = await pushVersion(pusher, repository, '1.0', {
    base,
    revision: REVISIONS[0],
    environment: ['PATH=/usr/bin', 'MODE=slow', 'OLD=1'],
    labels: { team: 'shop' },
    ports: { '8080/tcp': {} },
    app: 30_000,
  });
  const second = await pushVersion(pusher, repository, '1.1', {
    base,
    revision: REVISIONS[1],
    environment: ['PATH=/usr/bin', 'MODE=fast', 'NEW=yes'],
    labels: { team: 'web' },
    ports: { '8080/tcp': {}, '8443/tcp': {} },
    app: 90_000,
  });
  await pushSignature(pusher, repository, second.index);
  await pushSbom(pusher, repository, second.index);
  return { first, second, chart: await pushChart(pusher, repository) };
}

interface VersionParts {
  base: Uint8Array;
  revision: string;
  environment: string[];
  labels: Record<string, string>;
  ports: Record<string, object>;
  app: number;
}

async function pushVersion(pusher: Pusher, repository: string, tag: string, parts: VersionParts): Promise<Version> {
  const images: Pushed[] = [];
  const attestations: (Descriptor & Record<string, unknown>)[] = [];
  for (const architecture of PLATFORMS) {
    const image = await pusher.image(repository, undefined, {
      architecture,
      layers: [parts.base, randomBytes(20_000), randomBytes(parts.app)],
      config: {
        created: '2026-03-01T12:00:00Z',
        author: 'Team Shop <shop@example.org>',
        config: {
          Entrypoint: ['/app/serve'],
          Cmd: ['--port', '8080'],
          Env: parts.environment,
          WorkingDir: '/app',
          User: 'app',
          ExposedPorts: parts.ports,
          Volumes: { '/data': {} },
          StopSignal: 'SIGQUIT',
          Healthcheck: { Test: ['CMD', 'curl', '-f', 'http://localhost:8080/health'] },
          Labels: {
            ...parts.labels,
            'org.opencontainers.image.source': 'https://github.com/example/shop',
            'org.opencontainers.image.revision': parts.revision,
            'org.opencontainers.image.version': tag,
            ...Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`org.example.label-${n}`, `value ${n}`])),
          },
        },
        history: [
          { created: '2026-01-01T00:00:00Z', created_by: '/bin/sh -c #(nop) ADD file:abc in / ' },
          { created_by: 'ENV PATH=/usr/bin', empty_layer: true },
          { created_by: 'RUN /bin/sh -c apk add curl # buildkit' },
          { created_by: `COPY ${'a-long-name/'.repeat(40)} /app # buildkit` },
          { created_by: 'ENTRYPOINT ["/app/serve"]', empty_layer: true },
        ],
      },
    });
    images.push(image);
    attestations.push(await pushAttestation(pusher, repository, image));
  }
  const entries = images.map((image, number) => ({
    ...image,
    platform: { os: 'linux', architecture: PLATFORMS[number] ?? '' },
  }));
  return { index: await pusher.index(repository, tag, [...entries, ...attestations]), images };
}

/** As `docker buildx build --sbom=true --provenance=true` makes it. */
async function pushAttestation(pusher: Pusher, repository: string, image: Descriptor) {
  const statement = (predicateType: string, predicate: object) =>
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v0.1',
      predicateType,
      subject: [{ name: 'shop', digest: { sha256: image.digest.slice(7) } }],
      predicate,
    });
  const packages = Array.from({ length: PACKAGES }, (_, number) => ({
    name: `package-${String(number).padStart(3, '0')}`,
    versionInfo: `1.${number}.0`,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: number % 2 === 0 ? 'MIT' : 'Apache-2.0',
  }));
  const sbom = await pusher.blob(repository, statement(SPDX, { spdxVersion: 'SPDX-2.3', packages }), IN_TOTO);
  const provenance = await pusher.blob(
    repository,
    statement(PROVENANCE, { runDetails: { builder: { id: 'https://github.com/example/builder' } } }),
    IN_TOTO,
  );
  const manifest = await pusher.manifest(repository, undefined, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: await pusher.blob(repository, '{"os":"unknown","architecture":"unknown"}', mediaTypes.ociConfig),
    layers: [
      { ...sbom, annotations: { [PREDICATE]: SPDX } },
      { ...provenance, annotations: { [PREDICATE]: PROVENANCE } },
    ],
  });
  return {
    ...manifest,
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image.digest,
    },
  };
}

/** As `cosign sign` makes it where there are no referrers: a tag of the digest's name. */
async function pushSignature(pusher: Pusher, repository: string, subject: Descriptor): Promise<void> {
  const payload = JSON.stringify({
    critical: {
      identity: { 'docker-reference': repository },
      image: { 'docker-manifest-digest': subject.digest },
      type: 'cosign container image signature',
    },
    optional: null,
  });
  const layer = await pusher.blob(repository, payload, 'application/vnd.dev.cosign.simplesigning.v1+json');
  await pusher.manifest(repository, `${subject.digest.replace(':', '-')}.sig`, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: await pusher.blob(repository, '{"os":"","architecture":""}', mediaTypes.ociConfig),
    layers: [{ ...layer, annotations: { 'dev.cosignproject.cosign/signature': 'MEUCIQDx' } }],
  });
}

/** OCI Image 1.1: a manifest whose subject is the image. */
async function pushSbom(pusher: Pusher, repository: string, { mediaType, digest, size }: Descriptor): Promise<void> {
  const components = [
    { type: 'library', name: 'left-pad', version: '1.3.0', licenses: [{ license: { id: 'WTFPL' } }] },
  ];
  const document = JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.5', components });
  await pusher.manifest(repository, undefined, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: 'application/vnd.cyclonedx+json',
    config: await pusher.blob(repository, '{}', mediaTypes.ociEmpty),
    layers: [await pusher.blob(repository, document, 'application/vnd.cyclonedx+json')],
    subject: { mediaType, digest, size },
    annotations: { 'org.example.made-by': 'the SBOM job' },
  });
}

async function pushChart(pusher: Pusher, repository: string): Promise<Descriptor> {
  return pusher.manifest(repository, 'chart', {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: await pusher.blob(repository, '{"name":"shop"}', 'application/vnd.cncf.helm.config.v1+json'),
    layers: [
      await pusher.blob(repository, randomBytes(4_000), 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'),
      await pusher.blob(repository, 'signed by nobody\n', 'application/vnd.cncf.helm.chart.provenance.v1.prov'),
    ],
    annotations: { 'org.opencontainers.image.title': 'shop', 'org.opencontainers.image.description': 'The shop' },
  });
}

const SCRIPT = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><svg onload="window.pwned=1">`;
const ADDRESS = 'javascript:window.pwned=1';
const TURNED = '\u202egnp.exe \u2066\u2067\u0007\u001b[31mred';
const LONG = 'x'.repeat(700_000);

/** An image, what it is compared with, and referrers, each text of which would like to run or to break the page. */
export async function pushHostile(pusher: Pusher, repository: string): Promise<void> {
  const hostile = (more: string) => ({
    created: '9999-99-99',
    author: SCRIPT,
    config: {
      Entrypoint: [SCRIPT, TURNED],
      Cmd: [ADDRESS],
      Env: [`${SCRIPT}=${SCRIPT}`, `TURNED=${TURNED}`, `LINK=${ADDRESS}`, 'NO_VALUE'],
      WorkingDir: SCRIPT,
      User: TURNED,
      ExposedPorts: { [SCRIPT]: {} },
      Volumes: { [SCRIPT]: {}, __proto__: {} },
      StopSignal: SCRIPT,
      Healthcheck: { Test: ['CMD', SCRIPT] },
      Labels: {
        [SCRIPT]: SCRIPT,
        [TURNED]: TURNED,
        long: more,
        'org.opencontainers.image.source': ADDRESS,
        'org.opencontainers.image.revision': SCRIPT,
        'org.opencontainers.image.version': TURNED,
        constructor: 'x',
      },
    },
    history: [
      { created_by: SCRIPT, created: SCRIPT },
      { created_by: TURNED + LONG.slice(0, 100_000), empty_layer: true },
    ],
  });
  const annotations = { [SCRIPT]: SCRIPT, [TURNED]: TURNED, link: ADDRESS, long: 'y'.repeat(2 ** 20) };
  await pusher.image(repository, 'other', { config: hostile('short') });
  const image = await pusher.image(repository, 'evil', { config: hostile(LONG), manifest: { annotations } });
  const packages = [
    { name: SCRIPT, versionInfo: TURNED, licenseDeclared: ADDRESS },
    { name: LONG.slice(0, 50_000), versionInfo: 5 },
    null,
  ];
  const documents = [
    JSON.stringify({ spdxVersion: SCRIPT, packages }),
    JSON.stringify({
      payloadType: SCRIPT,
      payload: btoa(JSON.stringify({ predicateType: SCRIPT, subject: [{ name: SCRIPT, digest: { x: SCRIPT } }] })),
    }),
    '['.repeat(100_000),
    `${TURNED}${SCRIPT}`,
    new Uint8Array([0xff, 0xfe, 0x00]),
    JSON.stringify({ spdxVersion: 'SPDX-2.3', packages: [{ name: 'first' }, { name: LONG }, { name: LONG }] }),
  ];
  for (const [number, document] of documents.entries()) {
    await pusher.manifest(repository, undefined, {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: SCRIPT,
      config: await pusher.blob(repository, '{}', mediaTypes.ociEmpty),
      layers: [
        {
          ...(await pusher.blob(repository, document, SCRIPT)),
          ...(number === 0 ? {} : { annotations: { predicateType: SCRIPT } }),
        },
      ],
      subject: { mediaType: image.mediaType, digest: image.digest, size: image.size },
      annotations: { [SCRIPT]: SCRIPT, [TURNED]: TURNED },
    });
  }
}
