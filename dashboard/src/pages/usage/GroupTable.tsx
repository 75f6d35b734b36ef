import { useMemo } from "react";
import { type Column, DataTable } from "../../parts/DataTable";
import { count, percent } from "../../parts/format";
import { PageLink } from "../../parts/PageLink";
import { useListSearch } from "../../parts/useListSearch";
import type { Grouped, Measure, Sums } from "./groups";
import classes from "./usage.module.css";
import { type KeyNames, nameOfKey } from "./useKeyNames";
import type { By } from "./useUsage";

interface Props {
  groups: Grouped[];
  by: By;
  operator: boolean;
  measure: Measure;
  sums: Sums;
  names: KeyNames;
  colourOf: (group: Grouped) => string;
}

const there = { isPending: false, error: null, refetch: () => undefined };
const heads = { tenant: "Tenant", model: "Adapter", key: "Key" };

/** Each group's part of the whole. */
export function GroupTable({ groups, by, operator, measure, sums, names, colourOf }: Props) {
  const { sort, setSort } = useListSearch();
  const columns = useMemo((): Column<Grouped>[] => {
    const tenant: Column<Grouped> = {
      key: "tenant",
      head: "Tenant",
      by: (row) => row.tenant,
      cell: (row) =>
        row.tenant !== null && (
          <PageLink to="/tenants/$slug" params={{ slug: row.tenant }}>
            {row.tenant}
          </PageLink>
        ),
    };
    const own = (row: Grouped) => (by === "model" ? row.model : nameOfKey(row.key, names));
    const first: Column<Grouped> = {
      key: by,
      head: heads[by],
      by: by === "tenant" ? tenant.by : own,
      cell: (row) => (
        <span className={classes.named}>
          <i style={{ background: colourOf(row) }} />
          {by === "tenant" ? tenant.cell(row) : own(row)}
        </span>
      ),
    };
    const number = (key: keyof Sums, head: string, wide = false): Column<Grouped> => ({
      key,
      head,
      right: true,
      wide,
      by: (row) => row[key],
      cell: (row) => count(row[key]),
    });
    return [
      first,
      ...(operator && by !== "tenant" ? [tenant] : []),
      number("requests", "Requests"),
      number("input", "Input tokens"),
      number("cached", "Cached input", true),
      number("output", "Output tokens"),
      { key: "share", head: "Share", right: true, cell: (row) => percent(row[measure], sums[measure]) },
    ];
  }, [by, operator, measure, sums, names, colourOf]);
  return (
    <DataTable
      label="Usage by group"
      rows={groups}
      columns={columns}
      rowKey={(row) => row.id}
      query={there}
      sort={sort ?? `-${measure}`}
      onSort={setSort}
      empty={null}
    />
  );
}
