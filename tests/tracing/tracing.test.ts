// What a real collector is sent by `berth serve`.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { eventually } from '../support/processes.ts';
import { describeBytes, digestOf, mediaTypes, Registry } from '../support/registry.ts';
import { CLIENT, Collector, ERROR, type Span } from './collector.ts';

const SECONDS = 30_000;
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

let collector: Collector;
let server: RunningBerth;
let registry: Registry;
beforeAll(async () => {
  collector = new Collector();
  server = await startBerth({
    args: ['--workers', '1', '--log-level', 'debug', '--traces-to', collector.url],
    env: {
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collectors-secret',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.namespace=images',
    },
  });
  registry = new Registry(server.port);
}, 60_000);
afterAll(async () => {
  registry?.close();
  await server?.stop();
  collector?.stop();
}, 60_000);

/** Waits for the spans of a trace, its request's among them: that is the last one to end. */
async function traceOf(holds: (span: Span) => boolean): Promise<Span> {
  let found: Span | undefined;
  await eventually('the span of the request', SECONDS, () => {
    found = collector.requests().find(holds);
    return found !== undefined;
  });
  if (found === undefined) throw new Error('there is no span');
  return found;
}

const byId = (id: string | null) => (span: Span) => span.attributes['berth.request_id'] === id;

async function push(name: string, tag: string): Promise<{ layer: string; manifestId: string | null }> {
  const bytes = Buffer.from(`layer of ${name}`);
  const layer = digestOf(bytes);
  const blob = await registry.request('POST', `/v2/${name}/blobs/uploads/?digest=${layer}`, { body: bytes });
  expect(blob.status).toBe(201);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describeBytes(bytes, mediaTypes.ociEmpty),
    layers: [],
  });
  const put = await registry.request('PUT', `/v2/${name}/manifests/${tag}`, {
    headers: { 'Content-Type': mediaTypes.ociManifest },
    body: manifest,
  });
  expect(put.status).toBe(201);
  return { layer, manifestId: put.headers.get('x-request-id') };
}

test('a push is a tree: the request, its transaction, the queries in it', async () => {
  const { manifestId } = await push('team/app', 'v1');
  const request = await traceOf(byId(manifestId));
  expect(request).toMatchObject({
    name: 'PUT /v2/{name}/manifests/{reference}',
    status: { code: 0 },
    attributes: {
      'http.request.method': 'PUT',
      'http.route': '/v2/{name}/manifests/{reference}',
      'http.response.status_code': 201,
      'url.scheme': 'http',
      'url.path': '/v2/team/app/manifests/v1',
      'server.address': '127.0.0.1',
      'server.port': server.port,
      'client.address': '127.0.0.1',
      'berth.repository': 'team/app',
      'berth.caller': 'anonymous',
    },
  });
  expect(request.parentSpanId ?? '').toBe('');
  const transaction = collector.below(request).find(({ name }) => name === 'transaction');
  if (transaction === undefined) throw new Error('the request has no transaction');
  expect(transaction).toMatchObject({
    kind: CLIENT,
    attributes: { 'db.system.name': 'sqlite', 'berth.durable': true },
  });
  expect(transaction.events.map(({ name }) => name)).toEqual(['begun']);
  const queries = collector.below(transaction).map(({ name }) => name);
  for (const query of ['INSERT manifests', 'INSERT tags', 'INSERT audit_log']) expect(queries).toContain(query);
  const within = collector.spans.filter(({ traceId }) => traceId === request.traceId);
  for (const span of within) {
    expect(span.startTimeUnixNano <= span.endTimeUnixNano).toBe(true);
    expect(span.spanId === request.spanId || within.some(({ spanId }) => spanId === span.parentSpanId)).toBe(true);
  }
});

test('an upload shows what the store did, and a pull what it opened', async () => {
  const { layer } = await push('team/layers', 'v1');
  const pulled = await registry.get(`/v2/team/layers/blobs/${layer}`, { 'User-Agent': 'puller/2.0' });
  expect(pulled.status).toBe(200);
  const pull = await traceOf(byId(pulled.headers.get('x-request-id')));
  expect(pull).toMatchObject({
    name: 'GET /v2/{name}/blobs/{digest}',
    attributes: { 'user_agent.original': 'puller/2.0' },
  });
  const opened = collector.below(pull).find(({ name }) => name === 'open blob');
  expect(opened?.attributes).toEqual({ 'berth.digest': layer, 'berth.bytes': pulled.body.length });
  const upload = collector
    .requests('POST /v2/{name}/blobs/uploads/')
    .find(({ attributes }) => attributes['berth.repository'] === 'team/layers');
  if (upload === undefined) throw new Error('there is no upload');
  const parts = collector.below(upload);
  expect(parts.map(({ name }) => name)).toContain('commit upload');
  expect(parts.find(({ name }) => name === 'write upload')?.attributes['berth.bytes']).toBe(pulled.body.length);
});

describe('a caller that traces', () => {
  test('finds its request in its own trace, and the log line names both', async () => {
    const answer = await registry.get('/v2/', { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'vendor=x' });
    const id = answer.headers.get('x-request-id');
    const span = await traceOf(byId(id));
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: SPAN });
    await eventually('the log line', SECONDS, () => server.output().includes(`"requestId":"${id}"`));
    const line = server
      .output()
      .split('\n')
      .find((text) => text.includes(`"requestId":"${id}"`));
    expect(JSON.parse(line ?? '')).toMatchObject({ trace_id: TRACE, span_id: span.spanId });
  });

  test('is not traced when it says so', async () => {
    const quiet = await registry.get('/v2/', { traceparent: `00-${TRACE.replace('0af', '1af')}-${SPAN}-00` });
    const after = await registry.get('/v2/');
    await traceOf(byId(after.headers.get('x-request-id')));
    expect(collector.requests().some(byId(quiet.headers.get('x-request-id')))).toBe(false);
    expect(collector.text).not.toContain(TRACE.replace('0af', '1af'));
  });

  test.each(['junk', `00-${'0'.repeat(32)}-${SPAN}-01`, `ff-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01-more`])(
    'whose header is %s gets a trace of its own',
    async (traceparent) => {
      const answer = await registry.get('/v2/', { traceparent });
      const span = await traceOf(byId(answer.headers.get('x-request-id')));
      expect(span.traceId).not.toBe(TRACE);
      expect(span.parentSpanId ?? '').toBe('');
    },
  );
});

test('what a client does wrong is no error; what fails here is one', async () => {
  const missing = await registry.get('/v2/team/none/manifests/v1');
  expect(missing.status).toBe(404);
  const blobs = join(server.data, 'blobs');
  const { layer } = await push('team/broken', 'v1');
  renameSync(blobs, `${blobs}.away`);
  writeFileSync(blobs, '');
  let failing: Awaited<ReturnType<Registry['get']>>;
  try {
    failing = await registry.request('POST', `/v2/team/broken/blobs/uploads/?digest=${digestOf('new')}`, {
      body: 'new',
    });
  } finally {
    renameSync(blobs, `${blobs}.file`);
    renameSync(`${blobs}.away`, blobs);
  }
  expect(failing.status).toBeGreaterThanOrEqual(500);
  expect((await registry.get(`/v2/team/broken/blobs/${layer}`)).status).toBe(200);
  const notFound = await traceOf(byId(missing.headers.get('x-request-id')));
  expect(notFound.status.code).toBe(0);
  expect(notFound.attributes['berth.error']).toBe('MANIFEST_UNKNOWN');
  const failed = await traceOf(byId(failing.headers.get('x-request-id')));
  expect(failed.status.code).toBe(ERROR);
  expect(failed.attributes['error.type']).toBe('UNAVAILABLE');
  expect(collector.below(failed).some(({ status }) => status.code === ERROR)).toBe(true);
});

test('no log-in and no query is sent, and the collector gets its own log-in, which is printed nowhere', async () => {
  const authorization = `Basic ${Buffer.from('somebody:a-hidden-password').toString('base64')}`;
  const answer = await registry.get('/v2/_catalog?last=a-hidden-query', { Authorization: authorization });
  await traceOf(byId(answer.headers.get('x-request-id')));
  for (const secret of ['a-hidden', authorization, 'collectors-secret']) {
    expect(collector.text).not.toContain(secret);
    expect(server.output()).not.toContain(secret);
  }
  expect(collector.headers.at(-1)?.get('authorization')).toBe('Bearer collectors-secret');
  expect(new Set(collector.paths)).toEqual(new Set(['/v1/traces']));
});

test('the resource says which process of which service it was', () => {
  const resource = collector.spans[0]?.resource ?? {};
  expect(resource).toMatchObject({
    'service.name': 'berth',
    'service.version': expect.stringMatching(/^\d+\.\d+\.\d+$/),
    'service.namespace': 'images',
    'deployment.environment.name': 'test',
  });
  const [, process] = String(resource['service.instance.id']).split('/');
  for (const span of collector.requests())
    expect(String(span.attributes['berth.request_id'])).toStartWith(`${process}-`);
});

test('probes and scrapes are not traced, and /metrics counts what was sent', async () => {
  await registry.get('/readyz');
  const text = (await registry.get('/metrics')).text();
  expect(Number(/^berth_trace_spans_total\{outcome="sent"\} (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(0);
  const started = Number(/^process_start_time_seconds ([\d.e+]+)$/m.exec(text)?.[1]);
  expect(Math.abs(started - Date.now() / 1000)).toBeLessThan(3_600);
  const after = await registry.get('/v2/');
  await traceOf(byId(after.headers.get('x-request-id')));
  expect(collector.requests().filter(({ name }) => /readyz|livez|metrics/.test(name))).toEqual([]);
});

test('a setting that can not be used is refused at the start', async () => {
  const refused = async (env: Record<string, string>, ...args: string[]) => {
    const { code, stderr } = await berth(['serve', '--data', server.data, '--port', '0', ...args], { env });
    expect(code).not.toBe(0);
    return stderr;
  };
  expect(await refused({}, '--traces-to', 'localhost:4318')).toContain('--traces-to: is not an http(s) address');
  expect(await refused({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER: 'often' })).toContain(
    'OTEL_TRACES_SAMPLER: "often" is not one of always_on',
  );
});
