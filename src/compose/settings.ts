import { invalid, record } from './definition.ts';

/** The settings of `x-berth` that are durations. */
export const DEADLINE_NAMES = ['min_healthy_time', 'healthy_deadline', 'progress_deadline', 'drain'] as const;

const OWN_SETTINGS = new Set(['repository', 'migrate', 'probe', ...DEADLINE_NAMES]);

/** `x-berth` of a service. @throws OciError BODY_INVALID for a name or a value that Berth doesn't know */
export function checkServiceSettings(value: unknown, where: string, migration: boolean): void {
  const own = record(value);
  for (const name of Object.keys(own)) {
    if (!OWN_SETTINGS.has(name)) {
      throw invalid(`${where}.x-berth.${name}: not known; there are ${[...OWN_SETTINGS].join(', ')}`);
    }
  }
  if (migration && own.probe !== undefined)
    throw invalid(`${where}.x-berth.probe: a migration ends by itself; nothing probes it`);
  if (own.probe !== undefined) readProbe(own.probe, `${where}.x-berth.probe`);
  checkDeadlines(own, `${where}.x-berth`);
}

/** `x-berth` at the top of a file: deadlines for all services. @throws OciError BODY_INVALID */
export function checkFileSettings(value: unknown): void {
  const own = record(value);
  const unknown = Object.keys(own).find((name) => name !== 'watch' && !DEADLINE_NAMES.some((known) => known === name));
  if (unknown !== undefined)
    throw invalid(`x-berth.${unknown}: not known here; there are ${[...DEADLINE_NAMES, 'watch'].join(', ')}`);
  checkDeadlines(own, 'x-berth');
  if (own.watch !== undefined) readDuration(own.watch, 'x-berth.watch');
}

function checkDeadlines(own: Record<string, unknown>, where: string): void {
  for (const name of DEADLINE_NAMES) if (own[name] !== undefined) readDuration(own[name], `${where}.${name}`);
}

/** A request that says whether a service is healthy. */
export type Probe = {
  kind: 'probe';
  /** Of the container. */
  port: number;
  path: string;
  /** Milliseconds, as `timeout`. */
  interval: number;
  timeout: number;
  line: string;
};

/** `x-berth: { probe: { port: 8080, path: /healthz } }` */
export function readProbe(value: unknown, where: string): Probe {
  const { port, path = '/', interval = '1s', timeout = '2s', ...others } = record(value);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw invalid(`${where}.${unknown}: not known; there are port, path, interval, timeout`);
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalid(`${where}.port: a port of the container, 1 to 65535, as in { port: 8080, path: /healthz }`);
  }
  if (typeof path !== 'string' || !/^\/[!-~]*$/.test(path)) throw invalid(`${where}.path: a path that begins with "/"`);
  return {
    kind: 'probe',
    port,
    path,
    interval: readDuration(interval, `${where}.interval`),
    timeout: readDuration(timeout, `${where}.timeout`),
    line: `GET ${path} on port ${port} of the container answers with 2xx or 3xx`,
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `90s`, `1m30s`, `500ms`, at most a day; in milliseconds. */
export function readDuration(value: unknown, where: string): number {
  const text = String(value);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0);
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text || total > 86_400_000) {
    throw invalid(`${where}: ${JSON.stringify(value)} is no duration of at most a day, as in 10s or 1m30s`);
  }
  return total;
}
