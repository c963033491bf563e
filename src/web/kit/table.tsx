import type { ReactNode } from 'react';
import { classes } from './classes.ts';

export interface Column<Row> {
  key: string;
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Not for a heading, e.g. of buttons: it is read out, not shown. */
  hideHead?: boolean;
  end?: boolean;
  /** Where the width is short it goes beneath the others, with its heading before it. */
  wide?: boolean;
}

/** Rows of a list. On a phone each row is a block of lines `heading: value`. */
export function Table<Row>({
  label,
  columns,
  rows,
  rowKey,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
}) {
  return (
    <div className="overflow-x-auto rounded-lg border border-line bg-surface">
      {/* A phone shows the rows as blocks; the roles keep it a table for those who hear it. */}
      <table role="table" aria-label={label} className="w-full border-collapse max-sm:block">
        <thead className="max-sm:sr-only">
          <tr role="row" className="border-b border-line text-left text-sm text-muted">
            {columns.map((column) => (
              <th
                key={column.key}
                role="columnheader"
                scope="col"
                className={classes('px-4 py-2 font-medium whitespace-nowrap', column.end && 'text-right')}
              >
                {column.hideHead ? <span className="sr-only">{column.head}</span> : column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup" className="max-sm:block">
          {rows.map((row) => (
            <tr
              key={rowKey(row)}
              role="row"
              className="border-b border-line last:border-b-0 max-sm:block max-sm:px-4 max-sm:py-3"
            >
              {columns.map((column) => (
                <td
                  key={column.key}
                  role="cell"
                  className={classes(
                    'px-4 py-2.5 align-middle max-sm:flex max-sm:items-baseline max-sm:gap-2 max-sm:px-0 max-sm:py-0.5',
                    column.end && 'sm:text-right',
                  )}
                >
                  {!column.hideHead && (
                    <span className="shrink-0 text-sm text-muted sm:hidden" aria-hidden="true">
                      {column.head}
                    </span>
                  )}
                  <div className="min-w-0 max-w-full break-words">{column.cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Names with their values. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className="grid gap-x-6 gap-y-2 sm:grid-cols-[minmax(8rem,auto)_1fr]">
      {facts.map(([name, value]) => (
        <div key={name} className="contents max-sm:block">
          <dt className="text-sm text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
