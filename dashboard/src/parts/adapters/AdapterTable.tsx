// The adapters of one tenant: its own, or as an operator looks at them.
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import { ADAPTER_ORDERS, type Owner } from "../../api/adapters";
import { useSession } from "../../api/session";
import type { Adapter } from "../../api/types";
import { DataTable, type Column } from "../DataTable";
import { Empty } from "../Empty";
import { Panel } from "../Panel";
import { useListSearch } from "../useListSearch";
import { columnsOf, searchOf } from "./columns";
import { useResidents, type Residents } from "./residents";
import { orderOf, useAdapters } from "./useAdapters";
import { useModelUsage } from "./useModelUsage";

interface Props {
  owner: Owner;
  /** What to do when there is none. */
  empty: ReactNode;
}

export function AdapterTable(props: Props) {
  const { can } = useSession();
  return can("usage:read") ? <Watched {...props} /> : <List {...props} residents={null} counted={false} />;
}

function Watched(props: Props) {
  return <List {...props} residents={useResidents(props.owner)} counted />;
}

interface Known {
  residents: Residents;
  /** Whether the usage of each may be seen. */
  counted: boolean;
}

const NOBODY: string[] = [];

function List({ owner, empty, residents, counted }: Props & Known) {
  const { q, sort, setSort } = useListSearch();
  const { query, rows, more } = useAdapters(owner, q, sort);
  const names = useMemo(() => rows?.map(({ name }) => name) ?? NOBODY, [rows]);
  const usage = useModelUsage(owner, counted ? names : NOBODY);
  const navigate = useNavigate();
  const columns = useMemo(() => columnsOf({ owner, residents, usage }), [owner, residents, usage]);
  const here = sort !== undefined && !byServer(sort) && !more.has;
  return (
    <Panel flush>
      <DataTable
        // Another search begins at its top.
        key={`${q ?? ""} ${sort ?? ""}`}
        label="Adapters"
        columns={more.has ? columns.map(unsortable) : columns}
        rows={rows}
        rowKey={({ id }) => id}
        query={query}
        sort={here ? sort : orderOf(sort)}
        onSort={setSort}
        sorted={!here}
        more={more}
        onRow={({ name }) =>
          void navigate({ to: "/adapters/$name", params: { name }, search: searchOf(owner) })
        }
        empty={
          q ? (
            <Empty title={`No adapter has “${q}” in its name`}>Search for less, or for something else.</Empty>
          ) : (
            empty
          )
        }
      />
    </Panel>
  );
}

const byServer = (key: string) => ADAPTER_ORDERS.some((order) => order === key);

/** What the server does not sort by is offered once all are here: half a list in order misleads. */
function unsortable(column: Column<Adapter>): Column<Adapter> {
  if (byServer(column.key)) return column;
  const plain = { ...column };
  delete plain.by;
  return plain;
}
