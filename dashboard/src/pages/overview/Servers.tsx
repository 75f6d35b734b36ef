// The vLLM servers behind this gateway, where it has some; an operator takes one out before its maintenance.
import { Button, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data } from "../../api/client";
import { useSession } from "../../api/session";
import type { EngineServer } from "../../api/types";
import { Confirm } from "../../parts/Confirm";
import { type Column, DataTable } from "../../parts/DataTable";
import { count, percent } from "../../parts/format";
import { Panel } from "../../parts/Panel";
import { StateBadge } from "../../parts/StateBadge";
import { tellDone } from "../../parts/tell";

const LOOK_MS = 2_000;
const KEY = ["engine-servers"];

const states: Record<EngineServer["state"], { color: string; label: string }> = {
  ok: { color: "teal", label: "Serving" },
  draining: { color: "orange", label: "Draining" },
  unreachable: { color: "red", label: "Unreachable" },
  failing: { color: "red", label: "Failing" },
  other_model: { color: "red", label: "Another model" },
};

export function Servers() {
  const { can } = useSession();
  const [asked, setAsked] = useState<EngineServer | null>(null);
  const query = useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => data(api.GET("/admin/v1/servers", { signal })),
    refetchInterval: LOOK_MS,
  });
  // The engine is in the gateway's own process.
  if (!query.data || query.data.data.length === 0) return null;
  return (
    <Panel title="vLLM servers" flush>
      <DataTable
        label="vLLM servers"
        rows={query.data.data}
        columns={can("tenants:write") ? [...columns, deed(setAsked)] : columns}
        rowKey={(row) => row.url}
        query={query}
        empty={null}
      />
      {asked && <Drain server={asked} close={() => setAsked(null)} />}
    </Panel>
  );
}

const columns: Column<EngineServer>[] = [
  { key: "url", head: "Server", cell: (row) => <Text size="sm">{row.url}</Text> },
  { key: "state", head: "State", cell: (row) => <StateBadge {...states[row.state]} /> },
  { key: "own", head: "Of this gateway", right: true, wide: true, cell: (row) => count(row.in_flight) },
  { key: "running", head: "Running", right: true, cell: (row) => count(row.running) },
  { key: "waiting", head: "Waiting", right: true, cell: (row) => count(row.waiting) },
  { key: "kv", head: "KV used", right: true, wide: true, cell: (row) => percent(row.kv_used, 1) },
  { key: "adapters", head: "Adapters", right: true, wide: true, cell: (row) => count(row.adapters) },
];

const deed = (ask: (server: EngineServer) => void): Column<EngineServer> => ({
  key: "deed",
  head: "",
  right: true,
  cell: (row) => (
    <Button size="compact-xs" variant="default" onClick={() => ask(row)}>
      {row.state === "draining" ? "Resume" : "Drain"}
    </Button>
  ),
});

function Drain({ server, close }: { server: EngineServer; close: () => void }) {
  const client = useQueryClient();
  const draining = server.state !== "draining";
  const change = useMutation({
    mutationFn: () => data(api.PATCH("/admin/v1/servers", { body: { url: server.url, draining } })),
    onSuccess: async () => {
      tellDone(draining ? `${server.url} gets no more requests.` : `${server.url} gets requests again.`);
      close();
      await client.invalidateQueries({ queryKey: KEY });
    },
  });
  return (
    <Confirm
      opened
      close={close}
      title={draining ? `Drain ${server.url}?` : `Resume ${server.url}?`}
      action={draining ? "Drain" : "Resume"}
      danger={draining}
      pending={change.isPending}
      error={change.error}
      act={() => change.mutate()}
    >
      {draining
        ? "This gateway sends it nothing more; what it answers goes on. Other gateways go on asking it: drain it at each of them. It lasts until the gateway is started again."
        : "This gateway sends it requests again."}
    </Confirm>
  );
}
