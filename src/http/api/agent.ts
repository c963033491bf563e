import { agentReport, wantedState as wantedStateInfo } from '../../api/agent.ts';
import { OciError } from '../../oci/errors.ts';
import type { Conductor } from '../../releases/conductor.ts';
import { takeReport } from '../../releases/targets.ts';
import { targetSeen, wantedState, wantedVersion } from '../../releases/wanted.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiContext, type ApiRoute, apiRoute } from './route.ts';

/** Shorter than what proxies wait for a byte, and than what the agent does. */
const PING_EVERY_MS = 15_000;

export const AGENT_ROUTES: readonly ApiRoute[] = [
  {
    method: 'GET',
    path: '/api/v1/agent/state',
    access: 'agent',
    summary: 'What a server is to run; has an ETag, and answers 304 to it',
    chapter: 'agent',
    answer: wantedStateInfo,
    handler: state,
  },
  {
    method: 'GET',
    path: '/api/v1/agent/events',
    access: 'agent',
    summary: 'Server-sent events: `state` when there is another wanted state',
    chapter: 'agent',
    handler: events,
  },
  apiRoute({
    method: 'POST',
    path: '/api/v1/agent/report',
    access: 'agent',
    summary: 'What became of a deployment on a server, and what its engine runs',
    chapter: 'agent',
    body: agentReport,
    async handler({ releases }, request, { body }) {
      await takeReport(releases, targetOf(request), body, request.source);
      return undefined;
    },
  }),
];

async function state({ releases }: ApiContext, request: BerthRequest): Promise<Response> {
  const targetId = targetOf(request);
  await targetSeen(releases, targetId, request.source);
  const version = await wantedVersion(releases, targetId);
  const etag = `"${version}"`;
  const headers = { ETag: etag, 'Cache-Control': 'no-store' };
  if (request.header('if-none-match') === etag) return new Response(null, { status: 304, headers });
  const wanted = await wantedState(releases, targetId);
  // What was changed between the two reads comes with an ETag that is asked about again.
  if (wanted === undefined) throw new OciError('UNAUTHORIZED', 'the target was revoked');
  return Response.json(wanted, { headers });
}

async function events({ releases, conductor }: ApiContext, request: BerthRequest): Promise<Response> {
  const targetId = targetOf(request);
  const version = await wantedVersion(releases, targetId);
  return new Response(eventStream(conductor, targetId, version), {
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' },
  });
}

function eventStream(conductor: Conductor, targetId: number, version: string | undefined): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let end = () => {};
  return new ReadableStream({
    start(controller) {
      const send = (text: string) => {
        try {
          controller.enqueue(encoder.encode(text));
        } catch {
          end();
        }
      };
      const ping = setInterval(() => send(': ping\n\n'), PING_EVERY_MS);
      const unsubscribe = conductor.subscribe(targetId, version, {
        changed: () => send('event: state\ndata: {}\n\n'),
        gone: () => {
          end();
          try {
            controller.close();
          } catch {
            // The client was faster.
          }
        },
      });
      end = () => {
        clearInterval(ping);
        unsubscribe();
      };
      // What changed before it listened is told at once.
      send('event: state\ndata: {}\n\n');
    },
    cancel() {
      end();
    },
  });
}

function targetOf(request: BerthRequest): number {
  if (request.identity.kind !== 'agent') throw new OciError('DENIED', "only a target's agent may");
  return request.identity.id;
}
