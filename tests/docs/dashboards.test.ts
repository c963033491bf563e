// The dashboard and the alerts name metrics that there are, by labels that they have.
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { requireTools, run } from '../support/tools.ts';

const root = new URL('../..', import.meta.url).pathname;
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');

const rows = [...read('docs/reference/metrics.md').matchAll(/^\| `(berth_\w+)`\s*\| (\w+)\s*\| ([^|]*)\|/gm)];
/** Metric to the labels that a query may use. */
const METRICS = new Map(
  rows.flatMap(([, name = '', kind = '', labels = '']) => {
    const own = [...labels.matchAll(/`(\w+)`/g)].map((match) => match[1] ?? '');
    const usable = new Set([...own, 'job', 'instance']);
    if (kind !== 'histogram') return [[name, usable] as const];
    return ['_bucket', '_count', '_sum'].map((suffix) => [`${name}${suffix}`, new Set([...usable, 'le'])] as const);
  }),
);

const dashboard = z
  .object({
    uid: z.string(),
    panels: z.array(
      z.object({
        id: z.number(),
        title: z.string().min(1),
        type: z.enum(['row', 'stat', 'timeseries']),
        gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
        targets: z.array(z.object({ refId: z.string(), expr: z.string() })).default([]),
      }),
    ),
  })
  .parse(JSON.parse(read('packaging/grafana/berth.json')));

const alerts = z
  .object({
    groups: z.array(
      z.object({
        rules: z.array(
          z.object({
            alert: z.string(),
            expr: z.string(),
            labels: z.object({ severity: z.enum(['warning', 'critical']) }),
            annotations: z.object({ summary: z.string() }),
          }),
        ),
      }),
    ),
  })
  .parse(parse(read('packaging/prometheus/berth-alerts.yaml')))
  .groups.flatMap((group) => group.rules);

/** What an expression names that does not exist. */
function unknownIn(expression: string): string[] {
  return [...expression.matchAll(/\b(berth_\w+)(?:\{([^}]*)\})?/g)].flatMap(([, name = '', selector = '']) => {
    const labels = METRICS.get(name);
    if (labels === undefined) return [name];
    return [...selector.matchAll(/(\w+)\s*(?:=~|=|!=|!~)/g)]
      .map((match) => match[1] ?? '')
      .filter((one) => !labels.has(one));
  });
}

test('a metric or label that there is not is found', () => {
  expect(METRICS.size).toBeGreaterThan(20);
  expect(unknownIn('rate(berth_http_requests_total{job="x",colour="red"}[5m])')).toEqual(['colour']);
  expect(unknownIn('berth_nothing > 0')).toEqual(['berth_nothing']);
});

describe('packaging/grafana/berth.json', () => {
  test('asks for metrics that there are', () => {
    const expressions = dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr));
    expect(expressions.length).toBeGreaterThan(15);
    expect(expressions.flatMap(unknownIn)).toEqual([]);
  });

  test('has panels beside each other, none on another', () => {
    const panels = dashboard.panels;
    expect(new Set(panels.map((panel) => panel.id)).size).toBe(panels.length);
    const overlapping = panels.flatMap((a, i) =>
      panels
        .slice(i + 1)
        .filter(({ gridPos: b }) => {
          const { x, y, w, h } = a.gridPos;
          return x < b.x + b.w && b.x < x + w && y < b.y + b.h && b.y < y + h;
        })
        .map((b) => `${a.title} and ${b.title}`),
    );
    expect(overlapping).toEqual([]);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });
});

describe('packaging/prometheus/berth-alerts.yaml', () => {
  test('watches metrics that there are', () => {
    expect(alerts.length).toBeGreaterThan(5);
    expect(alerts.flatMap(({ expr }) => unknownIn(expr))).toEqual([]);
  });

  test('has each alert explained in the how-to', () => {
    const page = read('docs/how-to/prometheus.md');
    expect(alerts.map(({ alert }) => alert).filter((alert) => !page.includes(`\`${alert}\``))).toEqual([]);
  });
});

describe.if(requireTools('alerts in Prometheus', ['promtool']))('the alerts, in Prometheus', () => {
  const promtool = (...args: string[]) => run(['promtool', ...args], { cwd: `${root}packaging/prometheus` });

  test('are rules that it takes', async () => {
    expect(await promtool('check', 'rules', 'berth-alerts.yaml')).toContain(`SUCCESS: ${alerts.length} rules found`);
  });

  test('fire when they should, and not before', async () => {
    expect(await promtool('test', 'rules', 'berth-alerts.test.yaml')).toContain('SUCCESS');
    const tested = read('packaging/prometheus/berth-alerts.test.yaml');
    expect(alerts.map(({ alert }) => alert).filter((alert) => !tested.includes(alert))).toEqual([]);
  });
});
