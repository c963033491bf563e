import { type Check, ok, warning } from './result.ts';

export type Challenge =
  | { kind: 'basic' }
  | { kind: 'unreadable' }
  /** `faults`: in which the realm differs from the address asked. */
  | { kind: 'bearer'; realm: string; service: string | undefined; faults: string[] };

/** Reads `WWW-Authenticate` (Distribution "Token Authentication Specification"), and compares its realm with the address asked. */
export function judgeChallenge(origin: string, challenge: string): Challenge {
  if (/^\s*basic\b/i.test(challenge)) return { kind: 'basic' };
  if (!/^\s*bearer\b/i.test(challenge)) return { kind: 'unreadable' };
  const value = (name: string) => new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(challenge)?.[1];
  const realm = value('realm');
  if (realm === undefined || !URL.canParse(realm)) return { kind: 'unreadable' };
  const asked = new URL(origin);
  const sent = new URL(realm);
  const faults: string[] = [];
  if (sent.protocol !== asked.protocol)
    faults.push(`clients are sent to ${sent.protocol.slice(0, -1)}, not to ${asked.protocol.slice(0, -1)}`);
  if (sent.hostname !== asked.hostname) faults.push(`clients are sent to ${sent.hostname}, not to ${asked.hostname}`);
  else if (sent.host !== asked.host) faults.push(`clients are sent to ${sent.host}, not to ${asked.host}`);
  return { kind: 'bearer', realm, service: value('service'), faults };
}

export type Location =
  | { kind: 'right'; path: string }
  | { kind: 'missing' }
  /** It leads to another scheme or host: the client goes there, or nowhere. */
  | { kind: 'elsewhere'; origin: string; path: string }
  /** Not the upload's address any more. */
  | { kind: 'mangled'; found: string };

/** Where a client would go on with an upload. @param repository whose upload it is @param id of it, when the server said it */
export function judgeLocation(
  origin: string,
  location: string | null,
  repository: string,
  id: string | null,
): Location {
  if (location === null) return { kind: 'missing' };
  if (!URL.canParse(location, `${origin}/v2/${repository}/blobs/uploads/`)) return { kind: 'mangled', found: location };
  const url = new URL(location, `${origin}/v2/${repository}/blobs/uploads/`);
  const path = url.pathname + url.search;
  if (!url.pathname.startsWith(`/v2/${repository}/blobs/uploads/`) || (id !== null && !path.includes(id))) {
    return { kind: 'mangled', found: location };
  }
  return url.origin === origin ? { kind: 'right', path } : { kind: 'elsewhere', origin: url.origin, path };
}

const MOST_SKEW_MS = 60_000;

/** The server's clock, which is read between `before` and `after`; tokens are good by it, and Docker counts by its own. */
export function judgeClock(date: string | null, before: number, after: number): Check {
  const at = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(at)) return warning('clock', 'the header Date is missing, so the clock can not be compared');
  // `Date` has whole seconds.
  const skew = at + 1_000 < before ? at - before : at > after ? at - after : 0;
  if (Math.abs(skew) <= MOST_SKEW_MS)
    return ok('clock', `the server's clock differs by ${Math.round(Math.abs(skew) / 1_000)} s`);
  const which = skew < 0 ? 'behind' : 'ahead of';
  return warning(
    'clock',
    `the server's clock is ${Math.round(Math.abs(skew) / 1_000)} s ${which} this machine's: log-ins end too early or too late. Set both by NTP`,
    [{ where: 'both machines', code: 'sudo timedatectl set-ntp true' }],
  );
}

/** Sizes to try, in growing order, the last one `most` itself. */
export function trialSizes(most: number): number[] {
  const mib = 1024 * 1024;
  return [...[1, 2, 20, 100].map((size) => size * mib).filter((size) => size < most), most];
}
