import type { ImageReferrer } from '../../api/images.ts';

/** What something that is said about an image is. */
export type StatementKind =
  | 'cosign'
  | 'notation'
  | 'signature'
  | 'spdx'
  | 'cyclonedx'
  | 'syft'
  | 'provenance'
  | 'vulnerabilities'
  | 'vex'
  | 'test'
  | 'attestation'
  | 'other';

/** Media types, without their parameters, and artifact types. */
const TYPES: readonly (readonly [RegExp, StatementKind])[] = [
  [/^application\/vnd\.dev\.cosign\.(simplesigning|artifact\.sig)\.v1\+json$/, 'cosign'],
  [/^application\/vnd\.cncf\.notary\.(v2\.)?signature$/, 'notation'],
  [/^application\/(jose\+json|cose)$/, 'signature'],
  [/^(application|text)\/spdx(\+(json|xml))?$/, 'spdx'],
  [/^application\/vnd\.cyclonedx(\+(json|xml))?$/, 'cyclonedx'],
  [/^application\/vnd\.syft\+json$/, 'syft'],
  [/^application\/vnd\.aquasec\.trivy\.report\.|^application\/sarif\+json$/, 'vulnerabilities'],
  [/^application\/(vnd\.)?openvex(\+json)?$/, 'vex'],
  [/^application\/vnd\.(in-toto(\.[\w-]+)?(\.dsse|\.bundle)?\+json|dsse\.envelope\.v1\+json)$/, 'attestation'],
];

/** in-toto's `predicateType`, versions aside. */
const PREDICATES: readonly (readonly [RegExp, StatementKind])[] = [
  [/^https:\/\/slsa\.dev\/provenance(\/|$)/, 'provenance'],
  [/^https:\/\/spdx\.dev\/Document(\/|$)/, 'spdx'],
  [/^https:\/\/cyclonedx\.org\/(bom|schema|specification)(\/|$)/, 'cyclonedx'],
  [/^https:\/\/syft\.dev\/bom(\/|$)/, 'syft'],
  [/^https:\/\/(in-toto\.io\/attestation\/vulns|cosign\.sigstore\.dev\/attestation\/vuln)(\/|$)/, 'vulnerabilities'],
  [/^https:\/\/openvex\.dev\/ns(\/|$)/, 'vex'],
  [/^https:\/\/in-toto\.io\/attestation\/test-result(\/|$)/, 'test'],
  [/^https:\/\/sigstore\.dev\/cosign\/sign(\/|$)/, 'cosign'],
];

const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle([.+]|$)/;

/** Where BuildKit, cosign and sigstore's bundles say which predicate is within. */
const PREDICATE_ANNOTATIONS = ['in-toto.io/predicate-type', 'predicateType', 'dev.sigstore.bundle.predicateType'];

export function predicateOf(annotations: Readonly<Record<string, string>>): string | undefined {
  return PREDICATE_ANNOTATIONS.map((name) => annotations[name]).find((type) => type !== undefined && type !== '');
}

function known(table: readonly (readonly [RegExp, StatementKind])[], text: string): StatementKind | undefined {
  return table.find(([pattern]) => pattern.test(text))?.[1];
}

function bare(mediaType: string): string {
  return mediaType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** undefined for a predicate that has no name here. */
export function kindOfPredicate(type: string): StatementKind | undefined {
  return known(PREDICATES, type);
}

/** What a part of a referrer is, by its media type and what its annotations say of its predicate. */
export function kindOfPart(mediaType: string, annotations: Readonly<Record<string, string>>): StatementKind {
  const predicate = predicateOf(annotations);
  const type = bare(mediaType);
  if (predicate !== undefined) return kindOfPredicate(predicate) ?? 'attestation';
  if (BUNDLE.test(type)) {
    return annotations['dev.sigstore.bundle.content'] === 'dsse-envelope' ? 'attestation' : 'signature';
  }
  return known(TYPES, type) ?? 'other';
}

/** What a referrer is: each thing once. Its own type is asked when its parts say nothing. */
export function kindsOf(referrer: Pick<ImageReferrer, 'artifactType' | 'annotations' | 'parts'>): StatementKind[] {
  const { annotations } = referrer;
  const kinds = new Set<StatementKind>();
  for (const part of referrer.parts) kinds.add(kindOfPart(part.mediaType, { ...annotations, ...part.annotations }));
  const own = known(TYPES, bare(referrer.artifactType ?? ''));
  // A type of its own says more than its parts': a Notary signature's part is any JOSE or COSE envelope.
  if (own !== undefined && [...kinds].every((kind) => ['other', 'signature', 'attestation'].includes(kind))) {
    return [own];
  }
  kinds.delete('other');
  return kinds.size === 0 ? ['other'] : [...kinds];
}

/** The type to show of what has no name here. */
export function rawType(referrer: Pick<ImageReferrer, 'artifactType' | 'mediaType' | 'parts'>): string {
  const [part] = referrer.parts;
  return referrer.artifactType || part?.mediaType || referrer.mediaType;
}
