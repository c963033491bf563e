import { fieldOf, listIn, textIn } from './json-field.ts';

export interface SbomPackage {
  name: string;
  /** '' when it is not said; so are licences. */
  version: string;
  licence: string;
}

export interface Sbom {
  format: 'SPDX' | 'CycloneDX' | 'Syft';
  /** The first `MOST_PACKAGES`, in the order of their names. */
  packages: SbomPackage[];
  /** How many there are. */
  total: number;
}

/** More than any list that is read; what is beyond is in the text. */
const MOST_PACKAGES = 20_000;
/** CycloneDX nests components. */
const MOST_LEVELS = 20;

/** The packages that SPDX 2 and 3, CycloneDX or Syft list; undefined for another document. */
export function readSbom(document: unknown): Sbom | undefined {
  if (textIn(document, 'spdxVersion') !== undefined) return sbom('SPDX', listIn(document, 'packages').map(spdxPackage));
  if (textIn(document, 'bomFormat') === 'CycloneDX') return sbom('CycloneDX', components(document));
  const graph = listIn(document, '@graph');
  if (graph.some((element) => textIn(element, 'type') === 'SpdxDocument')) {
    return sbom('SPDX', graph.filter((element) => textIn(element, 'type') === 'software_Package').map(spdx3Package));
  }
  if (fieldOf(document, 'artifacts') !== undefined && fieldOf(document, 'descriptor') !== undefined) {
    return sbom('Syft', listIn(document, 'artifacts').map(syftPackage));
  }
  return undefined;
}

function sbom(format: Sbom['format'], packages: SbomPackage[]): Sbom {
  const named = packages.filter(({ name }) => name !== '');
  named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return { format, packages: named.slice(0, MOST_PACKAGES), total: named.length };
}

/** SPDX writes these for "not said". */
function said(text: string | undefined): string {
  return text === undefined || text === 'NOASSERTION' || text === 'NONE' ? '' : text;
}

function spdxPackage(element: unknown): SbomPackage {
  return {
    name: textIn(element, 'name') ?? '',
    version: said(textIn(element, 'versionInfo')),
    licence: said(textIn(element, 'licenseConcluded')) || said(textIn(element, 'licenseDeclared')),
  };
}

/** Its licences are elements of their own, bound by relationships: they are in the text. */
function spdx3Package(element: unknown): SbomPackage {
  return {
    name: textIn(element, 'name') ?? '',
    version: said(textIn(element, 'software_packageVersion')),
    licence: '',
  };
}

function components(document: unknown, level = 0): SbomPackage[] {
  if (level >= MOST_LEVELS) return [];
  return listIn(document, 'components').flatMap((component) => {
    const group = textIn(component, 'group');
    const name = textIn(component, 'name') ?? '';
    return [
      {
        name: group === undefined || group === '' ? name : `${group}/${name}`,
        version: textIn(component, 'version') ?? '',
        licence: listIn(component, 'licenses').map(cycloneLicence).filter(Boolean).join(', '),
      },
      ...components(component, level + 1),
    ];
  });
}

function cycloneLicence(choice: unknown): string {
  const licence = fieldOf(choice, 'license');
  return textIn(choice, 'expression') ?? textIn(licence, 'id') ?? textIn(licence, 'name') ?? '';
}

function syftPackage(element: unknown): SbomPackage {
  const licences = listIn(element, 'licenses').map((licence) =>
    typeof licence === 'string' ? licence : ((textIn(licence, 'spdxExpression') || textIn(licence, 'value')) ?? ''),
  );
  return {
    name: textIn(element, 'name') ?? '',
    version: textIn(element, 'version') ?? '',
    licence: licences.filter(Boolean).join(', '),
  };
}

export const MOST_SHOWN = 500;

/** Those with `wanted` in name, version or licence, in either case: the first `MOST_SHOWN`, and how many there are. */
export function filterPackages(
  packages: readonly SbomPackage[],
  wanted: string,
): { shown: SbomPackage[]; total: number } {
  const text = wanted.trim().toLowerCase();
  const found =
    text === ''
      ? packages
      : packages.filter((entry) =>
          [entry.name, entry.version, entry.licence].some((value) => value.toLowerCase().includes(text)),
        );
  return { shown: found.slice(0, MOST_SHOWN), total: found.length };
}
