interface Sortable<Row> {
  key: string;
  by?: (row: Row) => string | number | null;
}

const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Rows by the column that `sort` names, `-name` downwards; what has no value comes last. */
export function sortRows<Row>(rows: Row[], columns: Sortable<Row>[], sort: string | undefined): Row[] {
  if (!sort) return rows;
  const down = sort.startsWith("-");
  const by = columns.find((column) => column.key === (down ? sort.slice(1) : sort))?.by;
  if (!by) return rows;
  return [...rows].sort((left, right) => {
    const a = by(left);
    const b = by(right);
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    const order =
      typeof a === "number" && typeof b === "number" ? a - b : words.compare(String(a), String(b));
    return down ? -order : order;
  });
}
