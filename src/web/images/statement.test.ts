import { describe, expect, test } from 'bun:test';
import { readStatement } from './statement.ts';

const base64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');

const SPDX = {
  spdxVersion: 'SPDX-2.3',
  packages: [{ name: 'busybox', versionInfo: '1.36', licenseDeclared: 'GPL-2.0' }],
};
const IN_TOTO = {
  _type: 'https://in-toto.io/Statement/v0.1',
  predicateType: 'https://spdx.dev/Document',
  subject: [{ name: 'app', digest: { sha256: 'abc' } }],
  predicate: SPDX,
};

describe('JSON', () => {
  test('is laid out in lines', () => {
    expect(readStatement('{"a":[1,"é"]}', false).text).toBe('{\n  "a": [\n    1,\n    "é"\n  ]\n}');
  });

  test('that is none stays as it is', () => {
    expect(readStatement('{not json', false).text).toBe('{not json');
    expect(readStatement('SPDXVersion: SPDX-2.3\n', false).text).toBe('SPDXVersion: SPDX-2.3\n');
  });

  test('that is deep stays as it is: laid out it would be many times its size', () => {
    const deep = `${'['.repeat(5_000)}${'1,'.repeat(100_000)}1${']'.repeat(5_000)}`;
    expect(readStatement(deep, false).text).toBe(deep);
    const deepest = '['.repeat(500_000) + ']'.repeat(500_000);
    expect(readStatement(deepest, false).text).toBe(deepest);
  });
});

describe('a DSSE envelope', () => {
  const envelope = {
    payloadType: 'application/vnd.in-toto+json',
    payload: base64(IN_TOTO),
    signatures: [{ sig: 'x' }],
  };

  test('is shown with its payload, and what that is about', () => {
    const read = readStatement(JSON.stringify(envelope), false);
    expect(JSON.parse(read.payload ?? '')).toEqual(IN_TOTO);
    expect(read.predicateType).toBe('https://spdx.dev/Document');
    expect(read.subjects).toEqual([{ name: 'app', digest: 'sha256:abc' }]);
    expect(read.sbom?.packages).toEqual([{ name: 'busybox', version: '1.36', licence: 'GPL-2.0' }]);
  });

  test('may be in a bundle of sigstore', () => {
    const bundle = { mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', dsseEnvelope: envelope };
    expect(readStatement(JSON.stringify(bundle), false).sbom?.format).toBe('SPDX');
  });

  test('that is cut in its payload is read as far as it goes', () => {
    const packages = Array.from({ length: 1_000 }, (_, number) => ({ name: `päckage-${number}`, versionInfo: '1' }));
    const payload = base64({ ...IN_TOTO, predicate: { ...SPDX, packages } });
    const whole = JSON.stringify({ ...envelope, payload });
    for (const length of [40_001, 40_002, 40_003, 40_004]) {
      const read = readStatement(whole.slice(0, length), true);
      expect(read.text).toBe(whole.slice(0, length));
      expect(read.payload?.startsWith('{"_type":"https://in-toto.io/Statement/v0.1"')).toBe(true);
      expect(read.sbom?.total).toBeGreaterThan(300);
      expect(read.sbom?.total).toBeLessThan(1_000);
    }
  });

  test('with a payload that is no base64 or no text is shown without it', () => {
    for (const payload of ['%%%', base64('ok').slice(1), Buffer.from([0xff, 0xfe]).toString('base64')]) {
      const read = readStatement(JSON.stringify({ ...envelope, payload }), false);
      expect(read.text).toContain('payloadType');
      expect(read.sbom).toBeUndefined();
    }
  });
});

test('an SBOM is read that cosign wrapped as text', () => {
  const wrapped = { ...IN_TOTO, predicate: { Data: JSON.stringify(SPDX), Timestamp: '2026-01-01T00:00:00Z' } };
  expect(readStatement(JSON.stringify(wrapped), false).sbom?.total).toBe(1);
});

test('of a provenance the builder is said, in both versions of SLSA', () => {
  const builder = { id: 'https://github.com/actions/runner' };
  const of = (predicate: object) =>
    readStatement(JSON.stringify({ predicateType: 'https://slsa.dev/provenance/v1', predicate }), false).builder;
  expect(of({ builder })).toBe(builder.id);
  expect(of({ runDetails: { builder } })).toBe(builder.id);
  expect(of({ builder: { id: '' } })).toBeUndefined();
});

test.each([
  'null',
  '[]',
  '{"subject":5,"predicate":[]}',
  '{"subject":[null,{"digest":null},{"digest":{"a":1}},{"digest":{}}]}',
  '{"payload":5,"payloadType":{}}',
  '{"spdxVersion":"SPDX-2.3","packages":[null,5,{"name":{}},[]]}',
  '{"bomFormat":"CycloneDX","components":[{"licenses":[null,{"license":5}]},{"components":"x"}]}',
  '{"@graph":[null]}',
  '{"__proto__":{"predicateType":"x"}}',
])('%p does not throw', (text) => {
  const read = readStatement(text, false);
  expect(read.predicateType).toBeUndefined();
  expect(read.subjects).toEqual([]);
});
