// What the agent sees of Berth's API, with a wanted state that the test sets and a memory of what was reported.
import {
  type AgentReport,
  agentReport,
  type DeploymentReport,
  deploymentReport,
  type WantedState,
} from '../../src/api/agent.ts';

export interface ControlServer {
  port: number;
  state: WantedState;
  reports: AgentReport[];
  /** Sends what is wanted from now on. */
  want: (change: Partial<WantedState>) => void;
  /** Answers with this status to everything; undefined: as it should. */
  failWith: (status: number | undefined) => void;
  /** All that was reported of a deployment, put together. */
  deployment: (number: number) => DeploymentReport | undefined;
  phases: (number: number) => string[];
  services: () => AgentReport['services'];
  /** How often the state was asked for. */
  asked: () => number;
  stop: () => Promise<void>;
}

export const TOKEN = `berth_agent_${'a'.repeat(32)}`;

export function startControlServer(): ControlServer {
  const reports: AgentReport[] = [];
  const listeners = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const text = new TextEncoder();
  let failure: number | undefined;
  let version = 1;
  let asked = 0;
  let state: WantedState = {
    target: 'target-1',
    stack: 'alice/shop',
    environment: 'test',
    project: 'shop-test',
    deployment: null,
    stable: null,
    failed: [],
    keep: [],
    timings: { watchMs: 1_500, pollMs: 1_000, reportMs: 2_000 },
    now: 0,
  };
  const server = Bun.serve({
    hostname: '0.0.0.0',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (failure !== undefined) return new Response('', { status: failure });
      if (request.headers.get('authorization') !== `Bearer ${TOKEN}`) return new Response('', { status: 401 });
      if (pathname === '/api/v1/agent/state') {
        asked += 1;
        const etag = `"${version}"`;
        if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304 });
        return Response.json({ ...state, now: Date.now() }, { headers: { ETag: etag } });
      }
      if (pathname === '/api/v1/agent/events') {
        let own: ReadableStreamDefaultController<Uint8Array>;
        const stream = new ReadableStream<Uint8Array>({
          start(controller) {
            own = controller;
            listeners.add(controller);
            controller.enqueue(text.encode(': hello\n\n'));
          },
          cancel: () => void listeners.delete(own),
        });
        return new Response(stream, { headers: { 'Content-Type': 'text/event-stream' } });
      }
      if (pathname === '/api/v1/agent/report') {
        reports.push(agentReport.parse(await request.json()));
        return new Response(null, { status: 204 });
      }
      return new Response('', { status: 404 });
    },
  });
  const of = (number: number) =>
    reports.flatMap(({ deployment }) => (deployment?.number === number ? [deployment] : []));
  return {
    port: server.port ?? 0,
    get state() {
      return state;
    },
    reports,
    want(change) {
      state = { ...state, ...change };
      version += 1;
      for (const listener of listeners) listener.enqueue(text.encode('event: state\ndata: {}\n\n'));
    },
    failWith(status) {
      failure = status;
      if (status === undefined) return;
      for (const listener of listeners) listener.close();
      listeners.clear();
    },
    deployment(number) {
      const all = of(number);
      return all.length === 0 ? undefined : deploymentReport.parse(Object.assign({}, ...all));
    },
    phases: (number) =>
      of(number)
        .map(({ phase }) => phase)
        .filter((phase, at, all) => phase !== all[at - 1]),
    services: () => reports.findLast(({ services }) => services !== undefined)?.services,
    asked: () => asked,
    stop: () => server.stop(true),
  };
}
