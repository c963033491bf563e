import { expect, test } from 'bun:test';
import { kindsOf, rawType } from './statement-kind.ts';

type Part = { mediaType: string; annotations?: Record<string, string> };

function referrer(artifactType: string | null, parts: Part[], annotations: Record<string, string> = {}) {
  return {
    artifactType,
    annotations,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    parts: parts.map((part) => ({ digest: 'sha256:0', size: 1, annotations: {}, ...part })),
  };
}

const CONFIG = 'application/vnd.oci.image.config.v1+json';

test.each([
  ['cosign’s tag', CONFIG, [{ mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json' }], ['cosign']],
  [
    'cosign’s attestation',
    CONFIG,
    [
      {
        mediaType: 'application/vnd.dsse.envelope.v1+json',
        annotations: { predicateType: 'https://slsa.dev/provenance/v0.2' },
      },
    ],
    ['provenance'],
  ],
  [
    'BuildKit’s two attestations',
    CONFIG,
    [
      {
        mediaType: 'application/vnd.in-toto+json',
        annotations: { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' },
      },
      {
        mediaType: 'application/vnd.in-toto+json',
        annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' },
      },
    ],
    ['spdx', 'provenance'],
  ],
  ['an SBOM by its type', 'application/spdx+json', [{ mediaType: 'application/spdx+json' }], ['spdx']],
  ['an SBOM in bytes', 'application/vnd.cyclonedx+json', [{ mediaType: 'application/octet-stream' }], ['cyclonedx']],
  ['Notary', 'application/vnd.cncf.notary.signature', [{ mediaType: 'application/cose' }], ['notation']],
  ['a vulnerability report', 'application/sarif+json', [{ mediaType: 'application/sarif+json' }], ['vulnerabilities']],
  [
    'a type with parameters',
    'application/spdx+json; version=2.3',
    [{ mediaType: 'Application/SPDX+json; version=2.3' }],
    ['spdx'],
  ],
  [
    'a predicate of somebody’s own',
    null,
    [{ mediaType: 'application/vnd.in-toto+json', annotations: { predicateType: 'https://example.org/mine' } }],
    ['attestation'],
  ],
  ['anything else', 'application/vnd.example', [{ mediaType: 'text/plain' }], ['other']],
  ['nothing', null, [], ['other']],
])('%s is told by its types', (_, artifactType, parts, kinds) => {
  expect(kindsOf(referrer(artifactType, parts))).toEqual(kinds as never);
});

test('a bundle of sigstore is what it says to be, of its manifest or its part', () => {
  const bundle = 'application/vnd.dev.sigstore.bundle.v0.3+json';
  const parts = [{ mediaType: bundle }];
  const annotated = (annotations: Record<string, string>) => kindsOf(referrer(bundle, parts, annotations));
  expect(annotated({ 'dev.sigstore.bundle.content': 'message-signature' })).toEqual(['signature']);
  expect(annotated({ 'dev.sigstore.bundle.content': 'dsse-envelope' })).toEqual(['attestation']);
  expect(annotated({ 'dev.sigstore.bundle.predicateType': 'https://sigstore.dev/cosign/sign/v1' })).toEqual(['cosign']);
  expect(annotated({ 'dev.sigstore.bundle.predicateType': 'https://slsa.dev/provenance/v1' })).toEqual(['provenance']);
});

test('a predicate that only begins like a known one is not taken for it', () => {
  const parts = [
    {
      mediaType: 'application/vnd.in-toto+json',
      annotations: { predicateType: 'https://slsa.dev/provenance-of-evil' },
    },
  ];
  expect(kindsOf(referrer(null, parts))).toEqual(['attestation']);
});

test('what has no name is shown by its own type, its part’s or its manifest’s', () => {
  expect(rawType(referrer('application/vnd.example', [{ mediaType: 'text/plain' }]))).toBe('application/vnd.example');
  expect(rawType(referrer('', [{ mediaType: 'text/plain' }]))).toBe('text/plain');
  expect(rawType(referrer(null, []))).toBe('application/vnd.oci.image.manifest.v1+json');
});
