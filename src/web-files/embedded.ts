/**
 * The page's files inside the binary, gzipped: where each is, by its name. undefined from a checkout; `scripts/build.ts` puts a list in
 * this module's place.
 */
export const EMBEDDED: Readonly<Record<string, string>> | undefined = undefined;
