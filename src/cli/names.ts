import { OciError } from '../oci/errors.ts';
import { isRepositoryName, parseRepositoryName, parseTag } from '../oci/names.ts';
import { UsageError } from './usage.ts';

/** @throws UsageError */
export function repositoryName(text: string, flag = 'repository'): string {
  return checked(flag, () => parseRepositoryName(text));
}

/** A username, or the name of an organization, a team or a robot. @throws UsageError */
export function plainName(what: string, text: string): string {
  if (isRepositoryName(text) && !text.includes('/')) return text;
  throw new UsageError(
    `${what}: ${JSON.stringify(text)} is not lower-case letters and digits with single ".", "_", "__" or "-" between`,
  );
}

/** `acme+ci`. @throws UsageError */
export function robotName(text: string, flag: string): { namespace: string; name: string } {
  const [namespace = '', name, ...rest] = text.split('+');
  if (name === undefined || rest.length > 0) {
    throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a robot's name, such as acme+ci`);
  }
  return { namespace: plainName(flag, namespace), name: plainName(flag, name) };
}

/** The id of a token or an invitation. @throws UsageError */
export function identifier(what: string, text: string): string {
  if (/^[\w-]{1,100}$/.test(text)) return text;
  throw new UsageError(`${what}: ${JSON.stringify(text)} is not an id; take it from the list`);
}

/** `alice/app:1.0` or `alice/app`. @throws UsageError */
export function taggedName(text: string): { name: string; tag: string | undefined } {
  const colon = text.lastIndexOf(':');
  const split = colon > text.lastIndexOf('/') ? colon : text.length;
  const tag = split === text.length ? undefined : checked('tag', () => parseTag(text.slice(split + 1)));
  return { name: repositoryName(text.slice(0, split)), tag };
}

/** What `parse` makes of it. @throws UsageError naming the flag */
export function checked<T>(flag: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(`${flag}: ${error instanceof OciError ? error.message : 'not usable'}`);
  }
}
