import { OciError } from '../../oci/errors.ts';

/** Where better-auth would send a browser whose log-in has failed. Never sent: `oidc.ts` puts the page's address there. */
export const FAILED_PATH = '/.log-in-failed';

/**
 * Where a browser goes after a log-in: a path of this address and nothing else, however a browser reads it.
 *
 * @throws OciError BODY_INVALID
 */
export function destinationPath(text: string | undefined, base: string): string {
  if (text === undefined) return '/';
  const plain = /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(text) && !text.startsWith(FAILED_PATH);
  if (!plain || !URL.canParse(text, base) || new URL(text, base).origin !== new URL(base).origin) {
    throw new OciError('BODY_INVALID', 'callbackURL: must be a path of this registry, such as /settings');
  }
  return text;
}
