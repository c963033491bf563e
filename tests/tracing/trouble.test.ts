// Tracing when it is off, and when its collector is slow, away, or says no.
import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { eventually } from '../support/processes.ts';
import { Registry } from '../support/registry.ts';
import { Collector } from './collector.ts';

const SECONDS = 60_000;
const WARNING = 'the collector does not take traces';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
}, 120_000);

function newCollector(): Collector {
  const collector = new Collector();
  ends.push(() => collector.stop());
  return collector;
}

async function start(args: string[], env: Record<string, string> = {}): Promise<[RunningBerth, Registry]> {
  const server = await startBerth({
    args: ['--workers', '1', ...args],
    env: { OTEL_BSP_SCHEDULE_DELAY: '50', ...env },
  });
  const registry = new Registry(server.port);
  ends.push(
    () => server.stop(),
    () => registry.close(),
  );
  return [server, registry];
}

async function spans(registry: Registry, outcome: string): Promise<number> {
  const text = (await registry.get('/metrics')).text();
  return Number(new RegExp(`^berth_trace_spans_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

const warnings = (server: RunningBerth) => server.output().split(WARNING).length - 1;

async function answersAll(registry: Registry, count: number): Promise<void> {
  for (let i = 0; i < count; i++) expect((await registry.get('/v2/')).status).toBe(200);
}

describe('a collector', () => {
  // As long as the test: whoever waited for it would be late.
  const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: '600000' };

  test('that says nothing costs requests nothing, and the end of the server no more than a moment', async () => {
    const collector = newCollector();
    collector.manner = 'hang';
    const args = ['--traces-to', collector.url, '--shutdown-timeout', '10m'];
    const [server, registry] = await start(args, { ...patient, OTEL_BSP_MAX_QUEUE_SIZE: '10' });
    await answersAll(registry, 100);
    await eventually('spans are dropped', SECONDS, async () => (await spans(registry, 'dropped')) > 0);
    await eventually('the warning', SECONDS, () => warnings(server) > 0);
    await answersAll(registry, 100);
    expect(await server.stop()).toBe(0);
    expect(warnings(server)).toBe(1);
  });

  test('that is away is named once in the log, and the spans it did not get are counted', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const [server, registry] = await start(['--traces-to', url], { OTEL_EXPORTER_OTLP_TIMEOUT: '500' });
    await answersAll(registry, 10);
    await eventually('spans have failed', SECONDS, async () => (await spans(registry, 'failed')) > 0);
    const before = await spans(registry, 'failed');
    await answersAll(registry, 10);
    await eventually('more spans have failed', SECONDS, async () => (await spans(registry, 'failed')) > before);
    expect(await server.stop()).toBe(0);
    expect(warnings(server)).toBe(1);
    expect(server.output()).toContain(`"to":"${url}/v1/traces"`);
  });

  test('that says no is named with its answer', async () => {
    const collector = newCollector();
    collector.manner = 401;
    const [server, registry] = await start(['--traces-to', collector.url]);
    await answersAll(registry, 1);
    await eventually('the warning', SECONDS, () => warnings(server) > 0);
    expect(server.output()).toContain('(401)');
  });

  test('gets at the end what was still waiting', async () => {
    const collector = newCollector();
    const [server, registry] = await start(['--traces-to', collector.url], { OTEL_BSP_SCHEDULE_DELAY: '600000' });
    await answersAll(registry, 3);
    expect(collector.requests()).toEqual([]);
    expect(await server.stop()).toBe(0);
    expect(collector.requests('GET /v2/')).toHaveLength(3);
  });
});

test('each worker is an instance of the service', async () => {
  const collector = newCollector();
  const [server] = await start(['--traces-to', collector.url, '--workers', '2']);
  await eventually('spans of both', SECONDS, async () => {
    const answer = await fetch(`${server.url}/v2/`, { keepalive: false });
    await answer.arrayBuffer();
    return new Set(collector.spans.map(({ resource }) => resource['service.instance.id'])).size === 2;
  });
});

test('without a share only callers decide what is traced', async () => {
  const collector = newCollector();
  const [, registry] = await start(['--traces-to', collector.url, '--traces-sample', '0']);
  await answersAll(registry, 5);
  const traceId = 'a'.repeat(32);
  await registry.get('/v2/', { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` });
  await eventually('the one that asked', SECONDS, () => collector.spans.length > 0);
  expect(new Set(collector.spans.map((span) => span.traceId))).toEqual(new Set([traceId]));
});

/** What each process of a server that ran for two requests had loaded of OpenTelemetry. */
async function loaded(args: string[], env: Record<string, string> = {}): Promise<{ all: number; found: string[] }[]> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-loaded-'));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  const preload = { BUN_OPTIONS: `--preload ${join(import.meta.dir, 'loaded.ts')}`, LOADED_MODULES: folder };
  const [server, registry] = await start(args, { ...preload, ...env });
  await answersAll(registry, 2);
  expect(await server.stop()).toBe(0);
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
}

test('nothing of it is loaded while it is off, and nothing is sent', async () => {
  const collector = newCollector();
  const off = await loaded([], { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  expect(off.filter(({ all }) => all > 100).length).toBeGreaterThanOrEqual(2);
  expect(off.flatMap(({ found }) => found)).toEqual([]);
  expect(collector.paths).toEqual([]);
  const on = await loaded(['--traces-to', collector.url]);
  expect(on.flatMap(({ found }) => found).length).toBeGreaterThan(0);
});
