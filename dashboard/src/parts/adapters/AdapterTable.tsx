// The adapters of one tenant: its own, or as an operator looks at them.
import { Text, Tooltip } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import { reportOf, type Owner } from "../../api/adapters";
import { useSession } from "../../api/session";
import type { Adapter } from "../../api/types";
import { Bytes } from "../Bytes";
import { DataTable, type Column } from "../DataTable";
import { Empty } from "../Empty";
import { compact, count } from "../format";
import { PageLink } from "../PageLink";
import { Panel } from "../Panel";
import { useListSearch } from "../useListSearch";
import { useResidents, type Residents } from "./residents";
import { useAdapters } from "./useAdapters";
import { USAGE_DAYS, usageByAdapter, useModelUsage, type UsageByModel } from "./useModelUsage";
import { InMemory, VersionState } from "./VersionState";

interface Props {
  owner: Owner;
  /** What to do when there is none. */
  empty: ReactNode;
}

export function AdapterTable(props: Props) {
  const { can } = useSession();
  return can("usage:read") ? <Watched {...props} /> : <List {...props} residents={null} usage={null} />;
}

function Watched(props: Props) {
  const residents = useResidents(props.owner);
  const { data } = useModelUsage(props.owner, true);
  const usage = useMemo(() => (data ? usageByAdapter(data) : null), [data]);
  return <List {...props} residents={residents} usage={usage} />;
}

interface Known {
  owner: Owner;
  residents: Residents;
  usage: UsageByModel | null;
}

function List({ owner, empty, residents, usage }: Props & Known) {
  const { q, sort, setSort } = useListSearch();
  const { query, rows, more } = useAdapters(owner, q);
  const navigate = useNavigate();
  const columns = useMemo(() => columnsOf({ owner, residents, usage }), [owner, residents, usage]);
  return (
    <Panel flush>
      <DataTable
        // Another search begins at its top.
        key={q ?? ""}
        label="Adapters"
        columns={more.has ? columns.map(unsortable) : columns}
        rows={rows}
        rowKey={({ id }) => id}
        query={query}
        sort={more.has ? "name" : (sort ?? "name")}
        onSort={setSort}
        more={more}
        onRow={({ name }) =>
          void navigate({ to: "/adapters/$name", params: { name }, search: searchOf(owner) })
        }
        empty={
          q ? (
            <Empty title={`No adapter's name begins with “${q}”`}>Names have small letters only.</Empty>
          ) : (
            empty
          )
        }
      />
    </Panel>
  );
}

const searchOf = (owner: Owner): { tenant?: string } => (owner === null ? {} : { tenant: owner });

/** The server has them by name. Sorting by anything else is offered once all are here: half a list in order misleads. */
function unsortable(column: Column<Adapter>): Column<Adapter> {
  if (column.key === "name") return column;
  const plain = { ...column };
  delete plain.by;
  return plain;
}

const latestOf = (adapter: Adapter) =>
  adapter.versions.find(({ version }) => version === adapter.latest) ?? adapter.versions[0];

function columnsOf({ owner, residents, usage }: Known): Column<Adapter>[] {
  const used = ({ name }: Adapter) => usage?.get(name);
  const tokens = (adapter: Adapter) => {
    const sum = used(adapter);
    return sum ? sum.inputTokens + sum.outputTokens : 0;
  };
  return [
    {
      key: "name",
      head: "Adapter",
      by: ({ name }) => name,
      cell: ({ name }) => (
        <PageLink
          to="/adapters/$name"
          params={{ name }}
          search={searchOf(owner)}
          fw={550}
          style={{ whiteSpace: "nowrap" }}
        >
          {name}
        </PageLink>
      ),
    },
    {
      key: "state",
      head: "State",
      width: 100,
      by: (adapter) => latestOf(adapter)?.status ?? null,
      cell: (adapter) => {
        const latest = latestOf(adapter);
        return latest ? <VersionState version={latest} /> : "–";
      },
    },
    {
      key: "latest",
      head: "Latest",
      right: true,
      width: 80,
      by: ({ latest }) => latest,
      cell: ({ latest }) => `@${latest}`,
    },
    {
      key: "versions",
      head: "Versions",
      right: true,
      width: 90,
      wide: true,
      by: ({ versions }) => versions.length,
      cell: ({ versions }) => versions.length,
    },
    {
      key: "size",
      head: "Size",
      right: true,
      width: 90,
      by: (adapter) => latestOf(adapter)?.bytes ?? null,
      cell: (adapter) => <Bytes of={latestOf(adapter)?.bytes ?? 0} />,
    },
    {
      key: "rank",
      head: "Rank",
      right: true,
      width: 70,
      by: (adapter) => reportOf(latestOf(adapter) ?? {})?.rank ?? null,
      cell: (adapter) => reportOf(latestOf(adapter) ?? {})?.rank ?? "–",
    },
    { key: "modules", head: "Target modules", wide: true, cell: (adapter) => <Modules of={adapter} /> },
    {
      key: "memory",
      head: "In memory",
      width: 100,
      cell: (adapter) => <InMemory digest={latestOf(adapter)?.digest ?? ""} residents={residents} />,
    },
    {
      key: "requests",
      head: `Requests, ${USAGE_DAYS} d`,
      right: true,
      by: (adapter) => used(adapter)?.requests ?? 0,
      cell: (adapter) => (usage ? count(used(adapter)?.requests ?? 0) : "–"),
    },
    {
      key: "tokens",
      head: "Tokens",
      right: true,
      wide: true,
      by: tokens,
      cell: (adapter) => (usage ? compact(tokens(adapter)) : "–"),
    },
  ];
}

function Modules({ of }: { of: Adapter }) {
  const modules = reportOf(latestOf(of) ?? {})?.modules ?? [];
  if (modules.length === 0) return <span>–</span>;
  const short = modules.map((name) => name.replace(/_proj$/, ""));
  return (
    <Tooltip label={modules.join(", ")}>
      <Text size="xs" c="dimmed" className="mono" truncate maw={190} w="fit-content">
        {short.join(" ")}
      </Text>
    </Tooltip>
  );
}
