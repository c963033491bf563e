import { describe, expect, test } from 'bun:test';
import { AggregatorRegistry, Counter, Histogram, Registry } from 'prom-client';
import { RequestFigures } from './request-figures.ts';

const OBSERVED: [route: string, method: string, status: number, seconds: number][] = [
  ['/v2/:name{.+}/manifests/:reference', 'GET', 200, 0.0004],
  ['/v2/:name{.+}/manifests/:reference', 'GET', 200, 0.001],
  ['/v2/:name{.+}/manifests/:reference', 'GET', 404, 0.3],
  ['/v2/:name{.+}/manifests/:reference', 'PUT', 201, 61],
  ['/a "quoted" \\ route', 'GET', 200, 60],
];

/** In an order that does not depend on who wrote them. */
const linesOf = (text: string) => text.split('\n').toSorted();

/** The same figures by prom-client's own metrics. */
function reference(registry: Registry): (...observed: (typeof OBSERVED)[number]) => void {
  const registers = [registry];
  const requests = new Counter({
    name: 'berth_http_requests_total',
    help: 'HTTP requests answered.',
    labelNames: ['route', 'method', 'status'],
    registers,
  });
  const times = new Histogram({
    name: 'berth_http_request_duration_seconds',
    help: 'Time to the response head; for uploads, to the end of the request.',
    labelNames: ['route', 'method'],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  return (route, method, status, seconds) => {
    requests.inc({ route, method, status: String(status) });
    times.observe({ route, method }, seconds);
  };
}

describe('the figures of requests', () => {
  function both(): { ours: Registry; theirs: Registry } {
    const [ours, theirs] = [new Registry(), new Registry()];
    const figures = new RequestFigures();
    for (const metric of figures.metrics) ours.registerMetric(metric);
    const observe = reference(theirs);
    for (const observed of OBSERVED) {
      figures.observe(...observed);
      observe(...observed);
    }
    return { ours, theirs };
  }

  test("are written as prom-client's own are", async () => {
    const { ours, theirs } = both();
    expect(linesOf(await ours.metrics())).toEqual(linesOf(await theirs.metrics()));
  });

  test('are summed over workers', async () => {
    const { ours, theirs } = both();
    const summed = async (registry: Registry) => {
      const figures = await registry.getMetricsAsJSON();
      return linesOf(await AggregatorRegistry.aggregate([figures, figures]).metrics());
    };
    const lines = await summed(ours);
    expect(lines).toEqual(await summed(theirs));
    expect(lines).toContain(
      'berth_http_requests_total{route="/v2/:name{.+}/manifests/:reference",method="GET",status="200"} 4',
    );
  });

  test('are named before anything was observed', async () => {
    const registry = new Registry();
    for (const metric of new RequestFigures().metrics) registry.registerMetric(metric);
    expect(await registry.metrics()).toContain('# TYPE berth_http_request_duration_seconds histogram');
  });
});
