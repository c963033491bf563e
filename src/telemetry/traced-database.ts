import type { Attributes, Span } from '@opentelemetry/api';
import {
  AliasNode,
  type Compilable,
  DeleteQueryNode,
  InsertQueryNode,
  type Kysely,
  type KyselyPlugin,
  type OperationNode,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryResult,
  type RootOperationNode,
  SelectQueryNode,
  TableNode,
  type Transaction,
  type UnknownRow,
  UpdateQueryNode,
} from 'kysely';
import type { Database, DatabaseKind, PreparedRead, Snapshot, TransactionKind } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import { failed, type Tracing } from './tracing.ts';

/** A database whose transactions and queries are spans of the requests that they are for. Values are never in them. */
export class TracedDatabase implements Database {
  readonly kind: DatabaseKind;
  readonly read: Kysely<Schema>;
  readonly #inner: Database;
  readonly #tracing: Tracing;
  readonly #system: string;

  constructor(inner: Database, tracing: Tracing) {
    this.kind = inner.kind;
    this.#inner = inner;
    this.#tracing = tracing;
    this.#system = inner.kind === 'postgres' ? 'postgresql' : 'sqlite';
    this.read = inner.read.withPlugin(new QuerySpans(tracing, this.#system));
  }

  transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>, kind?: TransactionKind): Promise<T> {
    return this.#transact(true, work, kind);
  }

  relaxedTransaction<T>(work: (tx: Transaction<Schema>) => Promise<T>, kind?: TransactionKind): Promise<T> {
    return this.#transact(false, work, kind);
  }

  prepare<Row>(query: Compilable<Row>): PreparedRead<Row> {
    const read = this.#inner.prepare(query);
    const { name, attributes } = described(query.compile().query, this.#system);
    return (...values) => {
      const span = this.#tracing.begin(name, attributes);
      if (span === undefined) return read(...values);
      return ending(span, () => read(...values));
    };
  }

  requireRoom(): void {
    this.#inner.requireRoom();
  }

  check(): Promise<void> {
    return this.#inner.check();
  }

  version(): number | undefined {
    return this.#inner.version();
  }

  snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    return this.#inner.snapshot(work);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** The span is as long as the caller waits: `begun` in it is when the others' transactions let it. */
  #transact<T>(
    durable: boolean,
    work: (tx: Transaction<Schema>) => Promise<T>,
    kind: TransactionKind | undefined,
  ): Promise<T> {
    const run = (inner: typeof work) =>
      durable ? this.#inner.transaction(inner, kind) : this.#inner.relaxedTransaction(inner, kind);
    const attributes = { 'db.system.name': this.#system, 'berth.durable': durable };
    return this.#tracing.part('transaction', attributes, (span) => {
      if (span === undefined) return run(work);
      return run(async (tx) => {
        span.happened('begun');
        const queries = new QuerySpans(this.#tracing, this.#system);
        try {
          return await work(tx.withPlugin(queries));
        } catch (error) {
          queries.fail(error);
          throw error;
        }
      });
    });
  }
}

/** A span from when a query is made ready to when its rows are there. One that is only compiled has none: its span never ends. */
class QuerySpans implements KyselyPlugin {
  readonly #tracing: Tracing;
  readonly #system: string;
  readonly #begun = new WeakMap<object, Span>();
  #last: Span | undefined;

  constructor(tracing: Tracing, system: string) {
    this.#tracing = tracing;
    this.#system = system;
  }

  transformQuery({ queryId, node }: PluginTransformQueryArgs): RootOperationNode {
    if (!this.#tracing.recording) return node;
    const { name, attributes } = described(node, this.#system);
    const span = this.#tracing.begin(name, attributes);
    if (span !== undefined) this.#begun.set(queryId, span);
    this.#last = span;
    return node;
  }

  async transformResult({ queryId, result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    this.#begun.get(queryId)?.end();
    return result;
  }

  /** The query that was running has failed: Kysely says nothing of that. For one query after the other. */
  fail(error: unknown): void {
    if (this.#last?.isRecording() !== true) return;
    failed(this.#last, error);
    this.#last.end();
  }
}

/** SQLite answers at once, PostgreSQL later. */
function ending<T>(span: Span, work: () => T | Promise<T>): T | Promise<T> {
  const broken = (error: unknown): never => {
    failed(span, error);
    span.end();
    throw error;
  };
  try {
    const result = work();
    if (result instanceof Promise) {
      return result.then((value) => {
        span.end();
        return value;
      }, broken);
    }
    span.end();
    return result;
  } catch (error) {
    return broken(error);
  }
}

/** The name: what is done, and to which table (OpenTelemetry "Semantic conventions for database client spans"). */
function described(node: OperationNode, system: string): { name: string; attributes: Attributes } {
  const operation = OPERATIONS[node.kind] ?? 'QUERY';
  const table = tableOf(node);
  return {
    name: table === undefined ? operation : `${operation} ${table}`,
    attributes: {
      'db.system.name': system,
      'db.operation.name': operation,
      ...(table === undefined ? {} : { 'db.collection.name': table }),
    },
  };
}

const OPERATIONS: Record<string, string> = {
  SelectQueryNode: 'SELECT',
  InsertQueryNode: 'INSERT',
  UpdateQueryNode: 'UPDATE',
  DeleteQueryNode: 'DELETE',
};

/** The first table of a query; undefined when it begins with another query. */
function tableOf(node: OperationNode): string | undefined {
  if (TableNode.is(node)) return node.table.identifier.name;
  if (AliasNode.is(node)) return tableOf(node.node);
  if (InsertQueryNode.is(node)) return node.into === undefined ? undefined : tableOf(node.into);
  if (UpdateQueryNode.is(node)) return node.table === undefined ? undefined : tableOf(node.table);
  if (SelectQueryNode.is(node) || DeleteQueryNode.is(node)) {
    const first = node.from?.froms[0];
    return first === undefined ? undefined : tableOf(first);
  }
  return undefined;
}
