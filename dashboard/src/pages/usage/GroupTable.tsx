import { Text } from "@mantine/core";
import { useMemo } from "react";
import { type Column, DataTable } from "../../parts/DataTable";
import { count, percent } from "../../parts/format";
import { PageLink } from "../../parts/PageLink";
import { useListSearch } from "../../parts/useListSearch";
import type { Grouped, Measure, Sums } from "./groups";
import classes from "./usage.module.css";
import type { By } from "./readUsage";
import { type KeyNames, nameOfKey } from "./useKeyNames";

interface Props {
  groups: Grouped[];
  by: By;
  operator: boolean;
  measure: Measure;
  sums: Sums;
  names: KeyNames;
  colourOf: (group: Grouped) => string;
  /** What the others are. */
  others: string;
}

const there = { isPending: false, error: null, refetch: () => undefined };
const heads = { tenant: "Tenant", model: "Adapter", key: "Key" };

/** Each group's part of the whole. */
export function GroupTable({ groups, by, operator, measure, sums, names, colourOf, others }: Props) {
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
    const own = (row: Grouped) => (by === "key" ? nameOfKey(row.key, names) : row[by]);
    const first: Column<Grouped> = {
      key: by,
      head: heads[by],
      by: (row) => (row.others ? null : own(row)),
      cell: (row) => (
        <span className={classes.named}>
          <i style={{ background: colourOf(row) }} />
          {row.others ? <Others note={others} /> : by === "tenant" ? tenant.cell(row) : own(row)}
        </span>
      ),
    };
    const number = (key: keyof Sums, head: string, wide = false): Column<Grouped> => ({
      key,
      head,
      right: true,
      wide,
      // Below the rest, whatever it is sorted by.
      by: (row) => (row.others ? null : row[key]),
      cell: (row) => count(row[key]),
    });
    return [
      first,
      ...(operator && by !== "tenant" ? [tenant] : []),
      number("requests", "Requests"),
      number("failed", "Failed"),
      number("input", "Input tokens"),
      number("cached", "Cached input", true),
      number("output", "Output tokens"),
      { key: "share", head: "Share", right: true, cell: (row) => percent(row[measure], sums[measure]) },
    ];
  }, [by, operator, measure, sums, names, colourOf, others]);
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

function Others({ note }: { note: string }) {
  return (
    <span>
      Others{" "}
      <Text span size="xs" c="dimmed">
        {note}
      </Text>
    </span>
  );
}
