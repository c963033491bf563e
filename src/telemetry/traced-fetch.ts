import type { Tracing } from './tracing.ts';

/** `fetch`, as who sends requests to others takes it. */
export type Fetch = (url: URL, init: BunFetchRequestInit) => Promise<Response>;

/**
 * Requests to others as spans, until the head of the answer, which carry the trace on (W3C "Trace Context"). The path is left out: a
 * webhook's, and that of a store's signed address, is a secret.
 *
 * @param roots also for what no request asked for, each as a trace of its own
 */
export function tracedFetch(tracing: Tracing, roots: boolean): Fetch {
  return (url, init) => {
    const method = init.method ?? 'GET';
    const headers = new Headers(init.headers);
    // The address may be that of the machine; the name is what people know.
    const named = headers.get('host') ?? url.host;
    const { hostname, port } = URL.canParse(`http://${named}`) ? new URL(`http://${named}`) : url;
    const attributes = {
      'http.request.method': method,
      'server.address': hostname,
      'server.port': Number(port) || (url.protocol === 'https:' ? 443 : 80),
      'url.scheme': url.protocol.slice(0, -1),
    };
    return tracing.outgoing(method, attributes, roots, async (span, carried) => {
      if (span === undefined && carried.traceparent === undefined) return fetch(url, init);
      for (const [name, value] of Object.entries(carried)) headers.set(name, value);
      const response = await fetch(url, { ...init, headers });
      span?.set({ 'http.response.status_code': response.status });
      if (response.status >= 400) span?.fail(String(response.status));
      return response;
    });
  };
}
