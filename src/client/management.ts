import { z } from 'zod';

/** The server answered with an error; the message is its own. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
  ) {
    super(message);
  }
}

/** Nothing answered at the address, or something that is no Berth. */
export class ServerUnreachableError extends Error {
  override readonly name = 'ServerUnreachableError';
}

const tagPage = z.object({
  tags: z.array(z.object({ name: z.string(), digest: z.string(), updatedAt: z.string() })),
  next: z.string().nullable(),
});
const historyEntry = z.object({
  id: z.string(),
  digest: z.string().nullable(),
  previous: z.string().nullable(),
  action: z.string(),
  actor: z.string(),
  source: z.string(),
  at: z.string(),
  available: z.boolean(),
});
const historyPage = z.object({ entries: z.array(historyEntry), next: z.string().nullable() });
const rolledBack = z.object({ digest: z.string(), previous: z.string().nullable() });
const immutable = z.object({ patterns: z.array(z.string()) });
const problem = z.object({ detail: z.string(), code: z.string() });

export type TagInfo = z.infer<typeof tagPage>['tags'][number];
export type HistoryInfo = z.infer<typeof historyEntry>;

const ANSWER_WITHIN_MS = 30_000;

/** The management API, typed. Every method throws ApiError or ServerUnreachableError. */
export class ManagementClient {
  readonly #server: string;

  /** @param server `http://localhost:5000` */
  constructor(server: string) {
    this.#server = server.replace(/\/+$/, '');
  }

  /** Every tag, in byte order, a page at a time. */
  async *tags(repository: string): AsyncIterable<TagInfo> {
    for (let last: string | null = ''; last !== null; ) {
      const page: z.infer<typeof tagPage> = await this.#call(tagPage, 'GET', this.#path(repository, 'tags', last));
      yield* page.tags;
      last = page.next;
    }
  }

  /** Newest first, at most `limit`. */
  async *history(repository: string, tag: string, limit = Number.POSITIVE_INFINITY): AsyncIterable<HistoryInfo> {
    let left = limit;
    for (let last: string | null = ''; last !== null; ) {
      const path: string = this.#path(repository, `tags/${encodeURIComponent(tag)}/history`, last);
      const page: z.infer<typeof historyPage> = await this.#call(historyPage, 'GET', path);
      for (const entry of page.entries) {
        if (left-- <= 0) return;
        yield entry;
      }
      last = page.next;
    }
  }

  rollback(repository: string, tag: string, to: string | undefined): Promise<z.infer<typeof rolledBack>> {
    const path = this.#path(repository, `tags/${encodeURIComponent(tag)}/rollback`);
    return this.#call(rolledBack, 'POST', path, to === undefined ? {} : { to });
  }

  async immutableTags(repository: string): Promise<string[]> {
    return (await this.#call(immutable, 'GET', this.#path(repository, 'immutable-tags'))).patterns;
  }

  async setImmutableTags(repository: string, patterns: string[]): Promise<string[]> {
    return (await this.#call(immutable, 'PUT', this.#path(repository, 'immutable-tags'), { patterns })).patterns;
  }

  #path(repository: string, rest: string, last = ''): string {
    const name = repository.split('/').map(encodeURIComponent).join('/');
    const page = last === '' ? '' : `?last=${encodeURIComponent(last)}&n=1000`;
    return `/api/v1/repositories/${name}/${rest}${page}`;
  }

  async #call<T>(schema: z.ZodType<T>, method: string, path: string, body?: unknown): Promise<T> {
    let response: Response;
    let value: unknown;
    try {
      response = await fetch(this.#server + path, {
        method,
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
      });
      value = await response.json();
    } catch (error) {
      throw new ServerUnreachableError(
        `no Berth answers at ${this.#server} (${error instanceof Error ? error.message : 'unknown error'}); give its address with --server or BERTH_SERVER`,
        { cause: error },
      );
    }
    if (!response.ok) {
      const known = problem.safeParse(value);
      throw new ApiError(
        known.success ? known.data.detail : `the server answered ${response.status}`,
        response.status,
        known.success ? known.data.code : 'UNKNOWN',
      );
    }
    const result = schema.safeParse(value);
    if (!result.success)
      throw new ServerUnreachableError(`what answers at ${this.#server} is no Berth of this version`);
    return result.data;
  }
}
