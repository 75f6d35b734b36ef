// A list as a table: sorting from the address, more pages as one scrolls, only the visible rows drawn.
import { VisuallyHidden } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useEffect, useMemo, useRef } from "react";
import classes from "./DataTable.module.css";
import { ErrorState } from "./ErrorState";
import { Icon } from "./Icon";
import { Loading } from "./Loading";
import { sortRows } from "./sort";

export interface Column<Row> {
  key: string;
  head: string;
  cell: (row: Row) => ReactNode;
  /** The column can be sorted by this. */
  by?: (row: Row) => string | number | null;
  right?: boolean;
  width?: number | string;
  /** Left out on narrow screens. */
  wide?: boolean;
}

interface Props<Row> {
  /** What is listed, for screen readers. */
  label: string;
  columns: Column<Row>[];
  rows: Row[] | undefined;
  rowKey: (row: Row) => string;
  query: { isPending: boolean; error: unknown; refetch: () => unknown };
  /** What to say, and to do, when nothing is there. */
  empty: ReactNode;
  sort?: string;
  onSort?: (sort: string) => void;
  /** The server has sorted; else it is done here. */
  sorted?: boolean;
  more?: { has: boolean; loading: boolean; load: () => void };
  /** A row leads somewhere: also a link in one of the cells, for keyboards. */
  onRow?: (row: Row) => void;
}

const rowHeight = 41;

export function DataTable<Row>({ rows, query, empty, ...rest }: Props<Row>) {
  if (query.isPending) return <Loading />;
  if (query.error && !rows) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!rows || rows.length === 0) return <>{empty}</>;
  return <Rows rows={rows} {...rest} />;
}

function Rows<Row>(props: Omit<Props<Row>, "query" | "empty" | "rows"> & { rows: Row[] }) {
  const { columns, rows, rowKey, sort, sorted, more, onRow, label } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => (sorted ? rows : sortRows(rows, columns, sort)), [rows, columns, sort, sorted]);
  // eslint-disable-next-line react-hooks/incompatible-library -- the compiler is not in use
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1);
  useEffect(() => {
    if (last && more?.has && !more.loading && last.index >= shown.length - 10) more.load();
  }, [last, more, shown.length]);

  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (last?.end ?? 0);
  return (
    // Keyboards scroll it too.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div ref={scroller} className={classes.scroller} tabIndex={0} role="region" aria-label={label}>
      <table className={classes.table} aria-rowcount={more?.has ? -1 : shown.length + 1}>
        <Head {...props} />
        <tbody>
          {above > 0 && <Space height={above} columns={columns.length} />}
          {items.map((item) => {
            const row = shown[item.index] as Row;
            return (
              <TableRow
                key={rowKey(row)}
                row={row}
                index={item.index}
                columns={columns}
                onRow={onRow}
                measure={virtual.measureElement}
              />
            );
          })}
          {below > 0 && <Space height={below} columns={columns.length} />}
        </tbody>
      </table>
      {more?.loading && <Loading lines={2} />}
    </div>
  );
}

interface RowProps<Row> {
  row: Row;
  index: number;
  columns: Column<Row>[];
  onRow: ((row: Row) => void) | undefined;
  measure: (element: HTMLTableRowElement | null) => void;
}

/** Drawn once while it is in sight: scrolling only draws the rows that come. */
const TableRow = memo(function TableRow<Row>({ row, index, columns, onRow, measure }: RowProps<Row>) {
  return (
    // A mouse's short cut: the row's own link is there for everybody else.
    <tr
      ref={measure}
      data-index={index}
      aria-rowindex={index + 2}
      className={onRow ? classes.link : undefined}
      onClick={onRow ? (event) => fromRow(event.target) && onRow(row) : undefined}
    >
      {columns.map((column) => (
        <td key={column.key} className={cellClass(column)}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}) as <Row>(props: RowProps<Row>) => ReactNode;

function Head<Row>({ columns, sort, onSort }: Pick<Props<Row>, "columns" | "sort" | "onSort">) {
  return (
    <thead>
      <tr>
        {columns.map((column) => {
          const up = sort === column.key;
          const down = sort === `-${column.key}`;
          const order = up ? "ascending" : down ? "descending" : undefined;
          return (
            <th
              key={column.key}
              className={cellClass(column)}
              style={{ width: column.width }}
              aria-sort={order}
            >
              {column.by && onSort ? (
                <button
                  type="button"
                  className={classes.sort}
                  onClick={() => onSort(up ? `-${column.key}` : column.key)}
                >
                  {column.head}
                  {order && <Icon name={up ? "up" : "down"} size={12} />}
                </button>
              ) : (
                column.head || <VisuallyHidden>Actions</VisuallyHidden>
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

const Space = ({ height, columns }: { height: number; columns: number }) => (
  <tr aria-hidden="true">
    <td colSpan={columns} style={{ height, padding: 0, border: 0 }} />
  </tr>
);

const cellClass = (column: { right?: boolean; wide?: boolean }) =>
  [column.right && classes.right, column.wide && classes.wide].filter(Boolean).join(" ") || undefined;

/** Whether a click was on the row itself, and not on a button or link in it. */
const fromRow = (target: EventTarget) =>
  target instanceof Element && target.closest("a, button, input, label, [role=menuitem]") === null;
