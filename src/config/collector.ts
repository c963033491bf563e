/** Where collectors take traces, below their address (OTLP 1.x "OTLP/HTTP Request"). */
export const TRACES_PATH = '/v1/traces';

export const NO_COLLECTOR =
  'is not an http(s) address of a collector, such as http://localhost:4318; a log-in goes into OTEL_EXPORTER_OTLP_HEADERS';

/** A collector's address, without a `/` at its end; undefined when it is none. One with a log-in is none: people are shown it. */
export function collectorAddress(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, username, password, search, hash, pathname, origin } = new URL(text);
  if (!/^https?:$/.test(protocol) || `${username}${password}${search}${hash}` !== '') return undefined;
  return origin + pathname.replace(/\/+$/, '');
}

/** A number from 0 to 1, or undefined. */
export function parseShare(text: string): number | undefined {
  return /^\d?(\.\d{1,9})?$/.test(text) && text !== '' && Number(text) <= 1 ? Number(text) : undefined;
}
