// What the list of adapters shows of each.
import { Text, Tooltip } from "@mantine/core";
import { reportOf, type Owner } from "../../api/adapters";
import type { Adapter } from "../../api/types";
import { Bytes } from "../Bytes";
import type { Column } from "../DataTable";
import { compact, count } from "../format";
import { PageLink } from "../PageLink";
import { Time } from "../Time";
import { ErrorRate, errorRate } from "./ErrorRate";
import { USAGE_DAYS } from "./modelUsage";
import type { Residents } from "./residents";
import type { UsageByModel } from "./useModelUsage";
import { InMemory, VersionState } from "./VersionState";

export interface Known {
  owner: Owner;
  residents: Residents;
  usage: UsageByModel | null;
}

/** An operator says whose adapter it is. */
export const searchOf = (owner: Owner): { tenant?: string } => (owner === null ? {} : { tenant: owner });

const latestOf = (adapter: Adapter) =>
  adapter.versions.find(({ version }) => version === adapter.latest) ?? adapter.versions[0];

export function columnsOf({ owner, residents, usage }: Known): Column<Adapter>[] {
  const used = ({ name }: Adapter) => usage?.get(name);
  const requests = (adapter: Adapter) => used(adapter)?.requests ?? null;
  const tokens = (adapter: Adapter) => {
    const sum = used(adapter);
    return sum ? sum.inputTokens + sum.outputTokens : null;
  };
  const orDash = (value: number | null, write: (value: number) => string) =>
    value === null ? "–" : write(value);
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
      head: `Req. ${USAGE_DAYS} d`,
      right: true,
      by: requests,
      cell: (adapter) => orDash(requests(adapter), count),
    },
    {
      key: "errors",
      head: "Errors",
      right: true,
      by: (adapter) => errorRate(used(adapter)),
      cell: (adapter) => <ErrorRate of={used(adapter)} />,
    },
    {
      key: "tokens",
      head: "Tokens",
      right: true,
      wide: true,
      by: tokens,
      cell: (adapter) => orDash(tokens(adapter), compact),
    },
    {
      key: "created_at",
      head: "Created",
      wide: true,
      by: ({ created_at }) => created_at,
      cell: ({ created_at }) => <Time at={created_at} relative />,
    },
  ];
}

function Modules({ of }: { of: Adapter }) {
  const modules = reportOf(latestOf(of) ?? {})?.modules ?? [];
  if (modules.length === 0) return <span>–</span>;
  const short = modules.map((name) => name.replace(/_proj$/, ""));
  return (
    <Tooltip label={modules.join(", ")}>
      <Text size="xs" c="dimmed" className="mono" truncate maw={110} w="fit-content">
        {short.join(" ")}
      </Text>
    </Tooltip>
  );
}
