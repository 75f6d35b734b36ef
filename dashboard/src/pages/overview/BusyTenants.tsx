import type { BusyTenant } from "../../api/types";
import { type Column, DataTable } from "../../parts/DataTable";
import { Empty } from "../../parts/Empty";
import { count, rate } from "../../parts/format";
import { PageLink } from "../../parts/PageLink";
import { Panel } from "../../parts/Panel";

const columns: Column<BusyTenant>[] = [
  {
    key: "slug",
    head: "Tenant",
    cell: (row) => (
      <PageLink to="/tenants/$slug" params={{ slug: row.slug }}>
        {row.slug}
      </PageLink>
    ),
  },
  { key: "requests", head: "Requests/s", right: true, cell: (row) => rate(row.requests_per_s) },
  { key: "tokens", head: "Tokens/s", right: true, cell: (row) => rate(row.output_tokens_per_s) },
  { key: "running", head: "Running", right: true, cell: (row) => count(row.running) },
  { key: "waiting", head: "Waiting", right: true, wide: true, cell: (row) => count(row.waiting) },
];

const there = { isPending: false, error: null, refetch: () => undefined };

/** Whose requests there are most of, at most ten, as the server orders them. */
export function BusyTenants({ tenants }: { tenants: BusyTenant[] }) {
  return (
    <Panel title="Busiest tenants" flush>
      <DataTable
        label="Busiest tenants"
        rows={tenants}
        columns={columns}
        rowKey={(row) => row.slug}
        query={there}
        empty={<Empty title="Nobody is asking">Tenants appear here while they send requests.</Empty>}
      />
    </Panel>
  );
}
