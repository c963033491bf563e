// Whom each kind of route lets in, written out: one column for each of `PEOPLE`, in their order.
import { PEOPLE, type PersonName, PLACES, type Place } from './people.ts';

/** How somebody shows who it is: to /v2/ the credential itself or a bearer token of /auth/token that was got with it; to the API the credential. */
export type Way = 'basic' | 'bearer' | 'api';

/** `ok`: the handler is reached, and what it answers is its own matter. Where it depends on the way: `basic/bearer/api`. */
const TABLE = `
                    nobody  strang reader writer owner teamma member boss admin robot readonly expire revoke disabl elsewhere otherbot  browser  agent
read app            401     404    ok     ok     404   ok     404    ok   ok    ok    404      401    401    401    404       404  404  404/404/403
read open           ok      ok     ok     ok     ok    ok     ok     ok   ok    ok    ok       401    401    401    ok        ok   ok  ok/ok/403
read tool           401     404    ok     ok     ok    404    404    404  ok    404   ok       401    401    401    403/404   404  404  404/404/403
read missing        401     404    404    404    404   404    404    ok   ok    ok    404      401    401    401    404       404  404  404/404/403

write app           401     403    403    ok     403   ok     403    ok   ok    ok    403      401    401    401    403       403  403  403
write open          401     403    403    403    403   403    403    ok   ok    ok    403      401    401    401    403       403  403  403
write tool          401     403    403    ok     ok    403    403    403  ok    403   403      401    401    401    403       403  403  403
write missing       401     403    403    403    403   403    403    ok   ok    ok    403      401    401    401    403       403  403  403

delete app          401     403    403    ok     403   ok     403    ok   ok    ok    403      401    401    401    403       403  403  403
delete open         401     403    403    403    403   403    403    ok   ok    ok    403      401    401    401    403       403  403  403
delete tool         401     403    403    ok     ok    403    403    403  ok    403   403      401    401    401    403       403  403  403
delete missing      401     403    403    403    403   403    403    ok   ok    ok    403      401    401    401    403       403  403  403

admin app           401     403    403    403    403   403    403    ok   ok    403   403      401    401    401    403       403  403  403
admin open          401     403    403    403    403   403    403    ok   ok    403   403      401    401    401    403       403  403  403
admin tool          401     403    403    403    ok    403    403    403  ok    403   403      401    401    401    403       403  403  403
admin missing       401     403    403    403    403   403    403    ok   ok    403   403      401    401    401    403       403  403  403

read acme           401     404    404    404    404   ok     ok     ok   ok    404   404      401    401    401    404       404  404  403
read olivia         401     404    404    404    ok    404    404    404  ok    404   ok       401    401    401    403       404  404  403
read nowhere        401     404    404    404    404   404    404    404  ok    404   404      401    401    401    404       404  404  403
admin acme          401     403    403    403    403   403    403    ok   ok    403   403      401    401    401    403       403  403  403
admin olivia        401     403    403    403    ok    403    403    403  ok    403   403      401    401    401    403       403  403  403
admin nowhere       401     403    403    403    403   403    403    403  ok    403   403      401    401    401    403       403  403  403

remove acme         401     404    404    404    404   403    ok     ok   ok    404   404      401    401    401    404       404       404  403
remove olivia       401     404    404    404    ok    404    404    404  ok    404   403      401    401    401    403       404       404  403
remove nowhere      401     404    404    404    404   404    404    404  ok    404   404      401    401    401    404       404       404  403
withdraw            401     404    404    404    404   404    404    ok   ok    403   403      401    401    401    403       403       404  403

read instance       401/ok  ok     ok     ok     ok    ok     ok     ok   ok    ok    ok       401    401    401    ok        ok   ok  ok/ok/403
read catalog        401/ok  ok     ok     ok     ok    ok     ok     ok   ok    ok    ok       401    401    401    ok        ok   ok  403
account             401     ok     ok     ok     ok    ok     ok     ok   ok    403   403      401    401    401    403       403  ok  403
administrator       401     403    403    403    403   403    403    403  ok    403   403      401    401    401    403       403  403  403
session             401     401    401    401    401   401    401    401  401   401   401      401    401    401    401       401  ok  401
token               401     ok     ok     ok     ok    ok     ok     ok   ok    ok    ok       401    401    401    ok        ok   401  ok
none                ok      ok     ok     ok     ok    ok     ok     ok   ok    ok    ok       401    401    401    ok        ok   ok  ok
open                ok      ok     ok     ok     ok    ok     ok     ok   ok    ok    ok       ok     ok     ok     ok        ok   ok  ok

read shop of acme         401  404  404  404  404  404  404  ok   ok   ok   404  401  401  401  404  404  404  403
read shop of olivia       401  404  404  404  ok   404  404  404  ok   404  ok   401  401  401  403  404  404  403
read shop of nowhere      401  404  404  404  404  404  404  404  ok   404  404  401  401  401  404  404  404  403
write shop of acme        401  403  403  403  403  403  403  ok   ok   ok   403  401  401  401  403  403  403  403
write shop of olivia      401  403  403  403  ok   403  403  403  ok   403  403  401  401  401  403  403  403  403
write shop of nowhere     401  403  403  403  403  403  403  403  ok   403  403  401  401  401  403  403  403  403
admin shop of acme        401  403  403  403  403  403  403  ok   ok   403  403  401  401  401  403  403  403  403
admin shop of olivia      401  403  403  403  ok   403  403  403  ok   403  403  401  401  401  403  403  403  403
admin shop of nowhere     401  403  403  403  403  403  403  403  ok   403  403  401  401  401  403  403  403  403

agent                     401  403  403  403  403  403  403  403  403  403  403  401  401  401  403  403  403  ok
`;

export const NAMESPACES = ['acme', 'olivia', 'nowhere'] as const;
export type Namespace = (typeof NAMESPACES)[number];

/**
 * What a route asks for. `remove`: what it takes to remove the `member`, which that one may itself. `withdraw`: what it takes to withdraw
 * an invitation of `acme`, which others do not see. `session`: the cookie of a log-in on the page, no other credential will do. `token`: a credential,
 * whatever it may. `agent`: to be a server's. `none`: nothing, but a credential that is shown must be a good one. `open`: nothing, and no credential is looked at.
 */
export type Asks =
  | 'read'
  | 'write'
  | 'delete'
  | 'admin'
  | 'remove'
  | 'withdraw'
  | 'account'
  | 'administrator'
  | 'session'
  | 'token'
  | 'agent'
  | 'none'
  | 'open';

const LINES = parse(TABLE);

export function isAllowed(person: PersonName, asks: Asks, target: string | undefined, way: Way): boolean {
  return expected(person, asks, target, way) === 'ok';
}

/** The status of a refusal, or `ok`. @throws when the table has no such line */
export function expected(person: PersonName, asks: Asks, target: string | undefined, way: Way): number | 'ok' {
  const key = target === undefined ? asks : `${asks} ${target}`;
  const entry = LINES.get(key)?.get(person);
  if (entry === undefined) throw new Error(`no line ${key} for ${person}`);
  return entry[way];
}

/** What the places of a route are, by what its path names. */
export function targetsOf(asks: Asks, path: string): readonly (string | undefined)[] {
  if (/:name\b/.test(path)) return PLACES;
  if (/:namespace\b/.test(path)) return NAMESPACES;
  return asks === 'read' ? [path === '/v2/_catalog' ? 'catalog' : 'instance'] : [undefined];
}

export function isPlace(target: string | undefined): target is Place {
  return PLACES.some((place) => place === target);
}

type Entry = Record<Way, number | 'ok'>;

function parse(text: string): Map<string, Map<PersonName, Entry>> {
  const [, ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  return new Map(
    lines.map((line) => {
      const [, key = '', cells = ''] = /^(\S+(?: \S+)*) {2,}(.*)$/.exec(line) ?? [];
      const entries = cells.trim().split(/\s+/);
      if (entries.length !== PEOPLE.length) throw new Error(`${key} has ${entries.length} columns`);
      return [key, new Map(PEOPLE.map((person, i) => [person, entryOf(entries[i] ?? '')]))];
    }),
  );
}

function entryOf(text: string): Entry {
  const [basic = '', bearer = basic, api = basic] = text.split('/');
  return { basic: statusOf(basic), bearer: statusOf(bearer), api: statusOf(api) };
}

function statusOf(text: string): number | 'ok' {
  if (text === 'ok') return text;
  if (!/^\d{3}$/.test(text)) throw new Error(`${text} is no status`);
  return Number(text);
}
