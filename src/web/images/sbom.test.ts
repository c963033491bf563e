import { expect, test } from 'bun:test';
import { filterPackages, MOST_SHOWN, readSbom } from './sbom.ts';

test('of SPDX 2 the concluded licence counts, else the declared one', () => {
  const packages = [
    { name: 'zlib', versionInfo: '1.3', licenseConcluded: 'Zlib', licenseDeclared: 'MIT' },
    { name: 'curl', versionInfo: 'NOASSERTION', licenseConcluded: 'NOASSERTION', licenseDeclared: 'curl' },
    { name: 'bare' },
  ];
  expect(readSbom({ spdxVersion: 'SPDX-2.3', packages })).toEqual({
    format: 'SPDX',
    total: 3,
    packages: [
      { name: 'bare', version: '', licence: '' },
      { name: 'curl', version: '', licence: 'curl' },
      { name: 'zlib', version: '1.3', licence: 'Zlib' },
    ],
  });
});

test('of SPDX 3 the packages of the graph are read', () => {
  const graph = [
    { type: 'SpdxDocument' },
    { type: 'software_Package', name: 'zlib', software_packageVersion: '1.3' },
    { type: 'software_File', name: 'README' },
  ];
  expect(readSbom({ '@graph': graph })?.packages).toEqual([{ name: 'zlib', version: '1.3', licence: '' }]);
});

test('of CycloneDX components in components are read, with every form of a licence', () => {
  const components = [
    {
      group: '@scope',
      name: 'a',
      version: '1',
      licenses: [{ license: { id: 'MIT' } }, { license: { name: 'Own' } }],
      components: [{ name: 'b', version: '2', licenses: [{ expression: 'MIT OR Apache-2.0' }] }],
    },
  ];
  expect(readSbom({ bomFormat: 'CycloneDX', components })?.packages).toEqual([
    { name: '@scope/a', version: '1', licence: 'MIT, Own' },
    { name: 'b', version: '2', licence: 'MIT OR Apache-2.0' },
  ]);
});

test('of Syft the artifacts are read', () => {
  const artifacts = [{ name: 'zlib', version: '1.3', licenses: ['Zlib', { value: 'x', spdxExpression: 'MIT' }] }];
  expect(readSbom({ artifacts, descriptor: { name: 'syft' } })?.packages).toEqual([
    { name: 'zlib', version: '1.3', licence: 'Zlib, MIT' },
  ]);
});

test('another document is no SBOM', () => {
  for (const document of [undefined, null, 5, [], {}, { packages: [] }, { bomFormat: 'Other', components: [] }]) {
    expect(readSbom(document)).toBeUndefined();
  }
});

test('packages are found by name, version and licence, and no more are shown than a page takes', () => {
  const packages = Array.from({ length: 1_200 }, (_, number) => ({
    name: `Package-${number}`,
    version: `${number}.0`,
    licence: number % 2 === 0 ? 'MIT' : 'Apache-2.0',
  }));
  expect(filterPackages(packages, '').shown).toHaveLength(MOST_SHOWN);
  expect(filterPackages(packages, '').total).toBe(1_200);
  expect(filterPackages(packages, ' apache ').total).toBe(600);
  expect(filterPackages(packages, 'package-1199').shown.map(({ version }) => version)).toEqual(['1199.0']);
  expect(filterPackages(packages, 'nothing').total).toBe(0);
});
