/** `skipped`: it could not be looked at, and `seen` says why. */
export type State = 'ok' | 'warning' | 'failed' | 'skipped';

/** What is looked at, in this order. */
export type CheckName =
  | 'name'
  | 'port'
  | 'scheme'
  | 'certificate'
  | 'redirect'
  | 'v2'
  | 'challenge'
  | 'realm'
  | 'address'
  | 'clock'
  | 'credential'
  | 'headers'
  | 'path'
  | 'location'
  | 'body'
  | 'request buffering'
  | 'idle upload'
  | 'response buffering'
  | 'slow answer'
  | 'digest'
  | 'compression'
  | 'range'
  | 'left behind';

/** Something to write, and into whose configuration: `nginx`, `Berth`, `/etc/docker/daemon.json`. */
export interface Line {
  where: string;
  code: string;
}

export interface Check {
  name: CheckName;
  state: State;
  /** What was seen, and for a failure what it means. */
  seen: string;
  /** What to write to put it right; of several programs the one that is there. */
  lines: readonly Line[];
}

export function ok(name: CheckName, seen: string): Check {
  return { name, state: 'ok', seen, lines: [] };
}

export function warning(name: CheckName, seen: string, lines: readonly Line[] = []): Check {
  return { name, state: 'warning', seen, lines };
}

export function failed(name: CheckName, seen: string, lines: readonly Line[] = []): Check {
  return { name, state: 'failed', seen, lines };
}

export function skipped(name: CheckName, seen: string): Check {
  return { name, state: 'skipped', seen, lines: [] };
}
