const ADDRESS_MAX = 2_000;
const COMMIT = /^[0-9a-f]{7,64}$/i;

/**
 * An address that may be linked although somebody pushed it: http or https, and no user before the host, which would look like another host.
 * undefined for anything else.
 */
export function webAddress(text: string | null): string | undefined {
  return parse(text)?.href;
}

function parse(text: string | null): URL | undefined {
  if (text === null || text.length > ADDRESS_MAX || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  return url.username === '' && url.password === '' ? url : undefined;
}

/** A repository on a forge whose addresses are known. */
interface Forge {
  /** `https://github.com/owner/repository` */
  base: string;
  commit: string;
  compare: string;
}

function forgeOf(source: string | null): Forge | undefined {
  const url = parse(source);
  if (url === undefined) return undefined;
  const components = url.pathname.split('/').filter((component) => component !== '');
  const base = (path: readonly string[]) => `${url.origin}/${path.join('/').replace(/\.git$/, '')}`;
  if (/^gitlab\./.test(url.hostname)) {
    // Groups hold groups; `/-/` ends the project's path.
    const end = components.indexOf('-');
    const project = end < 0 ? components : components.slice(0, end);
    return project.length < 2 ? undefined : { base: base(project), commit: '/-/commit/', compare: '/-/compare/' };
  }
  if (/^(github\.|codeberg\.org$|gitea\.)/.test(url.hostname)) {
    const project = components.slice(0, 2);
    return project.length < 2 ? undefined : { base: base(project), commit: '/commit/', compare: '/compare/' };
  }
  return undefined;
}

/** Where a commit is shown; undefined for a forge that is not known or for what is no commit. */
export function commitLink(source: string | null, revision: string | null): string | undefined {
  const forge = forgeOf(source);
  if (forge === undefined || revision === null || !COMMIT.test(revision)) return undefined;
  return `${forge.base}${forge.commit}${revision}`;
}

interface Revision {
  source: string | null;
  revision: string | null;
}

/** Where the commits between two revisions are shown; undefined unless both are of one repository of a known forge, and differ. */
export function compareLink(from: Revision, to: Revision): string | undefined {
  const one = forgeOf(from.source);
  const other = forgeOf(to.source);
  if (one === undefined || one.base !== other?.base || from.revision === to.revision) return undefined;
  if (!COMMIT.test(from.revision ?? '') || !COMMIT.test(to.revision ?? '')) return undefined;
  return `${one.base}${one.compare}${from.revision}...${to.revision}`;
}

/** A commit in twelve characters; anything else as it is. */
export function shortRevision(revision: string): string {
  return COMMIT.test(revision) ? revision.slice(0, 12) : revision;
}
