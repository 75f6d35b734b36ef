import { Badge, Text } from "@mantine/core";
import { useMemo } from "react";
import type { Now, Resident } from "../../api/types";
import { Bytes } from "../../parts/Bytes";
import { type Column, DataTable } from "../../parts/DataTable";
import { Empty } from "../../parts/Empty";
import { bytes, compact, percent } from "../../parts/format";
import { PageLink } from "../../parts/PageLink";
import { Panel } from "../../parts/Panel";
import { useListSearch } from "../../parts/useListSearch";
import classes from "./overview.module.css";

const there = { isPending: false, error: null, refetch: () => undefined };

/** How full the memory beside the base model's is, and which adapters are in it. */
export function Memory({ now, operator }: { now: Now; operator: boolean }) {
  const { kv, adapters } = now;
  const { sort, setSort } = useListSearch();
  const columns = useMemo(() => columnsFor(operator), [operator]);
  const busy = [
    adapters.loading > 0 && `${adapters.loading} loading`,
    adapters.waiting > 0 && `${adapters.waiting} waiting for room`,
  ];
  return (
    <Panel
      title="Adapters in memory"
      flush
      aside={
        <Text size="xs" c="dimmed">
          {busy.filter(Boolean).join(", ")}
        </Text>
      }
    >
      {operator && (
        <div className={classes.gauges}>
          {/* On vLLM servers it is theirs to fill. */}
          {adapters.bytes !== null && adapters.limit_bytes > 0 && (
            <Gauge
              label="Adapter memory"
              part={adapters.bytes}
              of={adapters.limit_bytes}
              words={`${bytes(adapters.bytes)} of ${bytes(adapters.limit_bytes)}`}
            />
          )}
          {kv.used !== null && (
            <Gauge
              label="KV blocks"
              part={kv.used}
              of={kv.blocks}
              words={`${compact(kv.used)} of ${compact(kv.blocks)} (${compact(kv.used * kv.block_tokens)} tokens)`}
            />
          )}
        </div>
      )}
      <div className={classes.list}>
        <DataTable
          label="Adapters in memory"
          rows={adapters.resident}
          columns={columns}
          rowKey={(row) => `${row.tenant}/${row.digest}`}
          query={there}
          sort={sort}
          onSort={setSort}
          empty={
            <Empty title="No adapter is in memory">
              An adapter is loaded when the first request names it.
            </Empty>
          }
        />
      </div>
    </Panel>
  );
}

function columnsFor(operator: boolean): Column<Resident>[] {
  const tenant: Column<Resident> = {
    key: "tenant",
    head: "Tenant",
    by: (row) => row.tenant,
    cell: (row) => (
      <PageLink to="/tenants/$slug" params={{ slug: row.tenant }}>
        {row.tenant}
      </PageLink>
    ),
  };
  return [
    {
      key: "adapter",
      head: "Adapter",
      by: (row) => row.adapter,
      cell: (row) => (
        <PageLink
          to="/adapters/$name"
          params={{ name: row.adapter }}
          search={operator ? { tenant: row.tenant } : {}}
        >
          {row.version === null ? row.adapter : `${row.adapter}@${row.version}`}
        </PageLink>
      ),
    },
    ...(operator ? [tenant] : []),
    {
      key: "bytes",
      head: "Size",
      right: true,
      by: (row) => row.bytes,
      cell: (row) => <Bytes of={row.bytes} />,
    },
    {
      key: "digest",
      head: "Digest",
      wide: true,
      cell: (row) => <code title={row.digest}>{row.digest.replace("sha256:", "").slice(0, 12)}</code>,
    },
    {
      key: "in_use",
      head: "State",
      by: (row) => (row.in_use ? 0 : 1),
      cell: (row) => (
        <Badge variant="light" size="sm" tt="none" color={row.in_use ? "teal" : "gray"}>
          {row.in_use ? "in use" : "idle"}
        </Badge>
      ),
    },
  ];
}

function Gauge({ label, part, of, words }: { label: string; part: number; of: number; words: string }) {
  const share = percent(part, of);
  return (
    <div className={classes.gauge}>
      <span>{label}</span>
      <meter min={0} max={Math.max(of, 1)} value={part} high={of * 0.9} aria-label={label}>
        {share}
      </meter>
      <span className="num">
        <b>{share}</b> {words}
      </span>
    </div>
  );
}
