import { afterAll, describe, expect, test } from 'bun:test';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { sql } from 'kysely';
import { migrate } from '../database/migrate.ts';
import { onEachDatabase } from '../database/test-databases.ts';
import { OciError } from '../oci/errors.ts';
import { BoundedSpans, type SpanOutcome } from './bounded-spans.ts';
import { TracedDatabase } from './traced-database.ts';
import { tracedFetch } from './traced-fetch.ts';
import { Tracing } from './tracing.ts';

function newTracing() {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const tracing = new Tracing(provider.getTracer('test'));
  const request = <T>(work: () => Promise<T>) =>
    tracing.request('GET /', { traceparent: null, tracestate: null }, work);
  return { tracing, request, spans: () => exporter.getFinishedSpans() };
}

const named = (spans: readonly ReadableSpan[], name: string) => spans.filter((span) => span.name === name);

onEachDatabase('a traced database', (newPlace, kind) => {
  async function open() {
    const inner = (await newPlace()).open();
    await migrate(inner);
    const { tracing, request, spans } = newTracing();
    return { database: new TracedDatabase(inner, tracing), request, spans };
  }

  test('has a span for each query and transaction of a request, and none without one', async () => {
    const { database, request, spans } = await open();
    const prepared = database.prepare<{ holder: string }>(
      database.read.selectFrom('leases').select('holder').where('name', '=', ''),
    );
    const work = async () => {
      await database.read.selectFrom('leases').selectAll().where('name', '=', 'a-value').execute();
      await prepared('a-value');
      await database.transaction(async (tx) => {
        await tx.updateTable('leases').set({ holder: 'a-value' }).where('name', '=', 'a-value').execute();
        await sql`select 1`.execute(tx);
      });
    };
    await work();
    expect(spans()).toEqual([]);
    await request(work);
    const [transaction] = named(spans(), 'transaction');
    expect(named(spans(), 'SELECT leases')).toHaveLength(2);
    expect(named(spans(), 'UPDATE leases')[0]).toMatchObject({
      kind: SpanKind.CLIENT,
      parentSpanContext: { spanId: transaction?.spanContext().spanId },
      attributes: {
        'db.system.name': kind === 'postgres' ? 'postgresql' : 'sqlite',
        'db.operation.name': 'UPDATE',
        'db.collection.name': 'leases',
      },
    });
    expect(named(spans(), 'QUERY')).toHaveLength(1);
    expect(spans()).toHaveLength(6);
    const written = spans().map(({ name, attributes, events }) => [name, attributes, events]);
    expect(JSON.stringify(written)).not.toContain('a-value');
  });

  test('marks a query that fails and its transaction, and no transaction that a caller made pointless', async () => {
    const { database, request, spans } = await open();
    const failing = database.transaction.bind(database);
    const broken = request(() => failing((tx) => sql`select * from nowhere`.execute(tx)));
    expect(await broken.then(String, () => 'failed')).toBe('failed');
    expect(named(spans(), 'QUERY')[0]?.status.code).toBe(SpanStatusCode.ERROR);
    expect(named(spans(), 'transaction')[0]?.status.code).toBe(SpanStatusCode.ERROR);
    const refused = request(() => failing(() => Promise.reject(new OciError('NAME_UNKNOWN', 'name: no such one'))));
    expect(await refused.then(String, (error: unknown) => (error as Error).name)).toBe('OciError');
    expect(named(spans(), 'transaction')[1]?.status.code).toBe(SpanStatusCode.UNSET);
  });
});

describe('a traced request to somebody else', () => {
  const seen: Headers[] = [];
  const other = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request) => {
      seen.push(request.headers);
      return new Response('', { status: new URL(request.url).pathname.endsWith('/fails') ? 502 : 200 });
    },
  });
  afterAll(() => other.stop(true));
  const address = (path: string) => new URL(`http://127.0.0.1:${other.port}/${path}`);

  test('carries the trace on, and does not tell the path', async () => {
    const { tracing, request, spans } = newTracing();
    const send = tracedFetch(tracing, false);
    await request(() => send(address('services/a-secret?b=a-secret'), { headers: { Host: 'hooks.example.com' } }));
    const [span] = named(spans(), 'GET');
    const { traceId, spanId } = span?.spanContext() ?? {};
    expect(seen.at(-1)?.get('traceparent')).toBe(`00-${traceId}-${spanId}-01`);
    expect(seen.at(-1)?.get('host')).toBe('hooks.example.com');
    expect(span).toMatchObject({
      kind: SpanKind.CLIENT,
      attributes: { 'server.address': 'hooks.example.com', 'http.response.status_code': 200 },
    });
    expect(JSON.stringify(span?.attributes)).not.toContain('a-secret');
  });

  test('says that it was refused', async () => {
    const { tracing, request, spans } = newTracing();
    await request(() => tracedFetch(tracing, false)(address('fails'), { method: 'POST', body: 'x' }));
    expect(named(spans(), 'POST')[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'error.type': '502' },
    });
  });

  test('that no request asked for is a trace of its own only where that is wanted', async () => {
    const { tracing, spans } = newTracing();
    await tracedFetch(tracing, false)(address(''), {});
    expect(seen.at(-1)?.get('traceparent')).toBeNull();
    expect(spans()).toEqual([]);
    await tracedFetch(tracing, true)(address(''), {});
    expect(spans()).toHaveLength(1);
    expect(seen.at(-1)?.get('traceparent')).toContain(spans()[0]?.spanContext().traceId);
  });
});

test('trouble is told once, and that it is over once it has been well for a while', async () => {
  const told: string[] = [];
  const counts: Partial<Record<SpanOutcome, number>> = {};
  let code = 1;
  const exporter = {
    export: (_: ReadableSpan[], done: (result: { code: number; error?: Error }) => void) =>
      done(code === 0 ? { code } : { code, error: new Error('away') }),
    shutdown: async () => {},
  };
  const observer = {
    onSpans: (outcome: SpanOutcome, count: number) => {
      counts[outcome] = (counts[outcome] ?? 0) + count;
    },
    onTrouble: (reason: string) => told.push(reason),
    onRecovery: () => told.push('well'),
  };
  const queue = { most: 3, batch: 3, delayMs: 60_000 };
  const provider = new TracerProvider({ spanProcessors: [new BoundedSpans(exporter, queue, observer, 0)] });
  const spans = (count: number) => {
    for (let i = 0; i < count; i++) provider.getTracer('test').startSpan('x').end();
  };
  const flushed = () => provider.forceFlush().catch(() => {});
  for (let i = 0; i < 2; i++) {
    spans(2);
    await flushed();
  }
  expect({ told, counts }).toEqual({ told: ['away'], counts: { failed: 4 } });
  code = 0;
  spans(2);
  await flushed();
  expect({ told, counts }).toEqual({ told: ['away', 'well'], counts: { failed: 4, sent: 2 } });
});
