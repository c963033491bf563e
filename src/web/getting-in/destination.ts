/**
 * Where to go after a log-in: a path of this address and nothing else, however a browser reads it; the start page for what is none. As
 * `src/http/session/destination.ts` takes it.
 *
 * @param next what the address bar brought
 */
export function destinationOf(next: string | undefined, origin: string): string {
  if (next === undefined || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(next)) return '/';
  return URL.canParse(next, origin) && new URL(next, origin).origin === origin ? next : '/';
}
