import { invalid, listOf, record } from './definition.ts';
import { splitOutsideBraces } from './mounts.ts';

/** One entry of `ports` of a service. `published` is '' where the engine chooses; it and `target` may be ranges. */
export type Port = { address: string; published: string; target: string; protocol: string };

/** What a service publishes, from the short and the long form. Variables are not put in. */
export function portsOf(definition: Record<string, unknown>): Port[] {
  const { ports } = definition;
  return (Array.isArray(ports) ? ports : []).map((entry: unknown) => readPort(entry));
}

/** @param put puts variables into a text */
export function readPort(entry: unknown, put: (text: string) => string = (text) => text): Port {
  if (typeof entry === 'string' || typeof entry === 'number') return shortPort(put(String(entry)));
  const { target, published, host_ip: address, protocol } = record(entry);
  const text = (value: unknown, otherwise = '') => put(listOf(value)[0] ?? otherwise);
  return { address: text(address), published: text(published), target: text(target), protocol: text(protocol, 'tcp') };
}

/** `[ADDRESS:][PUBLISHED:]TARGET[/PROTOCOL]`; an IPv6 address stands in brackets. */
function shortPort(text: string): Port {
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(text);
  const parts = splitOutsideBraces(bracketed?.[2] ?? text);
  const [target = '', protocol = 'tcp'] = (parts.pop() ?? '').split(/\/(?=[a-z]+$)/i);
  const published = parts.pop() ?? '';
  return { address: bracketed?.[1] ?? parts.join(':'), published, target, protocol };
}

/** One port of a host that an entry of `ports` asks for. */
export type HostPort = {
  /** Names it within the file. */
  key: string;
  address: string;
  /** In the order of preference. */
  wanted: number[];
  target: number;
  protocol: string;
};

/**
 * The single ports of an entry; none where the engine chooses. Its variables are put in.
 *
 * @throws OciError BODY_INVALID for what are no ports
 */
export function hostPortsOf(service: string, { address, published, target, protocol }: Port): HostPort[] {
  if (published === '' || published === '0') return [];
  const where = `services.${service}.ports`;
  const hosts = range(published, where);
  const targets = range(target, where);
  const key = (host: string | number, own: number) => `${service} ${address}:${host}:${own}/${protocol}`;
  const [only] = targets;
  if (only !== undefined && targets.length === 1) {
    return [{ key: key(published, only), address, wanted: hosts, target: only, protocol }];
  }
  if (hosts.length !== targets.length)
    throw invalid(`${where}: ${published}:${target} are ranges of different lengths`);
  return targets.map((own, at) => {
    const host = hosts[at] ?? own;
    return { key: key(host, own), address, wanted: [host], target: own, protocol };
  });
}

const MOST_PORTS = 1_000;

function range(text: string, where: string): number[] {
  const [first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)?.slice(1) ?? [];
  const from = Number(first);
  const to = last === undefined ? from : Number(last);
  if (first === undefined || from < 1 || to < from || to > 65_535) {
    throw invalid(`${where}: ${JSON.stringify(text)} is no port and no range of ports`);
  }
  if (to - from >= MOST_PORTS) throw invalid(`${where}: ${text} are more than ${MOST_PORTS} ports`);
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
