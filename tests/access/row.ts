// A row of the matrix: what a route asks for, a request that would do something, and what its handler then answers.
import type { Parts } from './caller.ts';
import { type Asks, isPlace } from './expected.ts';
import { ROBOT } from './organization.ts';
import { type PersonName, REPOSITORY, type Town } from './people.ts';
import { stackOwner } from './stacks.ts';

/** Who asks for what. */
export interface Call {
  town: Town;
  person: PersonName;
  /** `app`, `acme`, `instance`, … as `targetsOf` has them. */
  target: string | undefined;
  /** Whether the person should be let in, so that what the request needs has to be made for it. */
  allowed: boolean;
}

export interface Sent extends Parts {
  /** Values of the path's parameters, besides those that every path gets. */
  params?: Record<string, string>;
  query?: string;
}

export interface Row {
  asks: Asks;
  /** What the handler answers to who is let in; by target, where it differs. */
  ok: number | Readonly<Record<string, number>>;
  send?: (call: Call) => Sent | Promise<Sent>;
  /** Instead of those that `targetsOf` finds in the path. */
  targets?: readonly string[];
  /** For whom the request does nothing, although the method is not GET and the answer is a good one. */
  idle?: (call: Call) => boolean;
  /** Whether a good answer never ends; its head is looked at. */
  endless?: boolean;
}

/** There is nothing in a repository that does not exist. */
export const found = (status: number) => ({ app: status, open: status, tool: status, missing: 404 });
export const read = (ok: Row['ok'] = found(200)): Row => ({ asks: 'read', ok });

export const json = (value: unknown, params: Record<string, string> = {}): NonNullable<Row['send']> => {
  return () => ({ json: value, params });
};

/** The path of a call, with its parameters filled in. */
export function pathOf(path: string, { town, target }: Call, { params = {}, query }: Sent): string {
  const place = isPlace(target) ? target : 'open';
  const image = town.image(place);
  const values: Record<string, string> = {
    name: REPOSITORY[place],
    namespace: stackOwner(target) ?? target ?? '',
    stack: 'shop',
    environment: 'test',
    target: 'one',
    number: '2',
    other: '1',
    reference: 'v1',
    tag: 'v1',
    digest: image.layer,
    upload: town.uploads.get(place) ?? '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b',
    username: 'stella',
    team: 'crew',
    robot: ROBOT,
    provider: 'none',
    file: 'missing.js',
    ...params,
  };
  const filled = path.replace(/:(\w+)(?:\{\.\+\})?/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${path}: nothing for :${name}`);
    return value;
  });
  return query === undefined ? filled : `${filled}?${query}`;
}

export function statusOf({ ok }: Row, target: string | undefined): number {
  const status = typeof ok === 'number' ? ok : ok[target ?? ''];
  if (status === undefined) throw new Error(`no status for ${target}`);
  return status;
}
