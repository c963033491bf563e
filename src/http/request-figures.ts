import type { Metric } from 'prom-client';

/** Upper bounds in seconds; `+Inf` comes last. */
const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60];

interface Figures {
  route: string;
  method: string;
  /** Answers, by status. */
  statuses: Map<number, number>;
  /** Requests whose time is in this bucket and in none below it; those above all bounds come last. */
  buckets: number[];
  seconds: number;
  count: number;
}

interface Value {
  labels: Record<string, string | number>;
  value: number;
  /** Of a histogram's parts. */
  metricName?: string;
}

/**
 * How many requests were answered, and how long each took. The two are observed at every request, where prom-client's own metrics would make
 * a string of the labels twice: a quarter of the time of a pull. So they are counted here, and given to prom-client when it is asked.
 */
export class RequestFigures {
  readonly #routes = new Map<string, Map<string, Figures>>();

  observe(route: string, method: string, status: number, seconds: number): void {
    const figures = this.#routes.get(route)?.get(method) ?? this.#add(route, method);
    figures.statuses.set(status, (figures.statuses.get(status) ?? 0) + 1);
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] as number)) bucket++;
    figures.buckets[bucket] = (figures.buckets[bucket] as number) + 1;
    figures.seconds += seconds;
    figures.count++;
  }

  /** What a registry of prom-client takes. */
  get metrics(): Metric[] {
    return [
      metric({
        name: 'berth_http_requests_total',
        help: 'HTTP requests answered.',
        type: 'counter',
        labelNames: ['route', 'method', 'status'],
        values: () => this.#counts(),
      }),
      metric({
        name: 'berth_http_request_duration_seconds',
        help: 'Time to the response head; for uploads, to the end of the request.',
        type: 'histogram',
        labelNames: ['le', 'route', 'method'],
        values: (name) => this.#times(name),
      }),
    ];
  }

  #add(route: string, method: string): Figures {
    const methods = this.#routes.get(route) ?? new Map<string, Figures>();
    this.#routes.set(route, methods);
    const buckets = Array.from({ length: BUCKETS.length + 1 }, () => 0);
    const figures = { route, method, statuses: new Map(), buckets, seconds: 0, count: 0 };
    methods.set(method, figures);
    return figures;
  }

  *#all(): Generator<Figures> {
    for (const methods of this.#routes.values()) yield* methods.values();
  }

  *#counts(): Generator<Value> {
    for (const { route, method, statuses } of this.#all()) {
      for (const [status, value] of statuses) yield { labels: { route, method, status: String(status) }, value };
    }
  }

  *#times(name: string): Generator<Value> {
    for (const { route, method, buckets, seconds, count } of this.#all()) {
      let below = 0;
      for (const [index, requests] of buckets.entries()) {
        below += requests;
        const labels = { le: BUCKETS[index] ?? '+Inf', route, method };
        yield { metricName: `${name}_bucket`, labels, value: below };
      }
      yield { metricName: `${name}_sum`, labels: { route, method }, value: seconds };
      yield { metricName: `${name}_count`, labels: { route, method }, value: count };
    }
  }
}

interface OwnMetric {
  name: string;
  help: string;
  type: 'counter' | 'histogram';
  labelNames: string[];
  values: (name: string) => Iterable<Value>;
}

/** prom-client's type lists its own classes; of these a registry uses the name and `get` alone. */
function metric({ name, help, type, labelNames, values }: OwnMetric): Metric {
  const get = async () => ({ name, help, type, aggregator: 'sum', values: [...values(name)] });
  return { name, labelNames, get } as unknown as Metric;
}
