// A real collector on loopback: takes OTLP over HTTP as JSON, and can be told to refuse, or to say nothing.
import { z } from 'zod';

const value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
]);
const attributes = z
  .array(z.object({ key: z.string(), value }))
  .transform((list) => Object.fromEntries(list.map((entry) => [entry.key, entry.value])));

/** OTLP 1.x "JSON Protobuf Encoding" of ExportTraceServiceRequest. */
const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string().regex(/^[\da-f]{32}$/),
              spanId: z.string().regex(/^[\da-f]{16}$/),
              parentSpanId: z.string().optional(),
              name: z.string(),
              kind: z.number(),
              startTimeUnixNano: z.coerce.bigint(),
              endTimeUnixNano: z.coerce.bigint(),
              attributes,
              events: z.array(z.object({ name: z.string() })),
              status: z.object({ code: z.number(), message: z.string().optional() }),
            }),
          ),
        }),
      ),
    }),
  ),
});

type Exported = z.infer<typeof exported>['resourceSpans'][number];
export type Span = Exported['scopeSpans'][number]['spans'][number] & { resource: Record<string, unknown> };

export const SERVER = 2;
export const CLIENT = 3;
export const ERROR = 2;

export class Collector {
  readonly spans: Span[] = [];
  /** All that was sent, as it came. */
  text = '';
  readonly headers: Headers[] = [];
  readonly paths: string[] = [];
  manner: 'take' | 'hang' | number = 'take';
  readonly #server: ReturnType<typeof Bun.serve>;

  constructor() {
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: async (request) => {
        const text = await request.text();
        this.headers.push(request.headers);
        this.paths.push(new URL(request.url).pathname);
        if (this.manner === 'hang') return new Promise<Response>(() => {});
        if (this.manner !== 'take') return new Response('no', { status: this.manner });
        this.text += text;
        for (const { resource, scopeSpans } of exported.parse(JSON.parse(text)).resourceSpans) {
          for (const { spans } of scopeSpans) {
            this.spans.push(...spans.map((span) => ({ ...span, resource: resource.attributes })));
          }
        }
        return Response.json({});
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** The requests' spans, of one name or all. */
  requests(name?: string): Span[] {
    return this.spans.filter((span) => span.kind === SERVER && (name === undefined || span.name === name));
  }

  below(parent: Span): Span[] {
    return this.spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId);
  }

  stop(): void {
    void this.#server.stop(true);
  }
}
