// All tenants, for the operator.
import { Button } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useSession } from "../../api/session";
import type { Tenant } from "../../api/types";
import { DataTable, type Column } from "../../parts/DataTable";
import { Empty } from "../../parts/Empty";
import { Icon } from "../../parts/Icon";
import { PageHeader } from "../../parts/PageHeader";
import { PageLink } from "../../parts/PageLink";
import { Panel } from "../../parts/Panel";
import { SearchField } from "../../parts/SearchField";
import { DeleteTenant, SuspendTenant, type TenantDeed } from "../../parts/tenantDeeds";
import { TenantState } from "../../parts/TenantState";
import { Time } from "../../parts/Time";
import { useListSearch } from "../../parts/useListSearch";
import { NewTenant } from "./NewTenant";
import { TenantMenu } from "./TenantMenu";
import { useTenants } from "./useTenants";

const columns: Column<Tenant>[] = [
  {
    key: "slug",
    head: "Tenant",
    by: ({ slug }) => slug,
    cell: ({ slug }) => (
      <PageLink to="/tenants/$slug" params={{ slug }} fw={550}>
        {slug}
      </PageLink>
    ),
  },
  { key: "name", head: "Name", cell: ({ name }) => name },
  { key: "status", head: "State", width: 120, cell: (tenant) => <TenantState tenant={tenant} /> },
  {
    key: "limits",
    head: "Own limits",
    width: 120,
    right: true,
    wide: true,
    cell: ({ limits }) => Object.keys(limits).length || "–",
  },
  {
    key: "created_at",
    head: "Created",
    width: 200,
    wide: true,
    by: ({ created_at }) => created_at,
    cell: ({ created_at }) => <Time at={created_at} />,
  },
];

export function Tenants() {
  const { can } = useSession();
  const { q, sort, setQ, setSort } = useListSearch();
  const { query, rows, more } = useTenants(q, sort);
  const [making, setMaking] = useState(false);
  const [asked, setAsked] = useState<{ tenant: Tenant; deed: TenantDeed } | null>(null);
  const navigate = useNavigate();
  const may = can("tenants:write");
  const close = () => setAsked(null);
  const menu: Column<Tenant> = {
    key: "menu",
    head: "",
    width: 56,
    cell: (tenant) => <TenantMenu tenant={tenant} onDeed={(deed) => setAsked({ tenant, deed })} />,
  };

  return (
    <>
      <PageHeader title="Tenants" note="Each is a customer: its keys, adapters, limits and usage.">
        <SearchField label="Search by slug or name" value={q} onChange={setQ} />
        {may && (
          <Button leftSection={<Icon name="plus" size={14} />} onClick={() => setMaking(true)}>
            New tenant
          </Button>
        )}
      </PageHeader>
      <Panel flush>
        <DataTable
          // Another search begins at its top.
          key={`${q ?? ""} ${sort ?? ""}`}
          label="Tenants"
          columns={may ? [...columns, menu] : columns}
          rows={rows}
          rowKey={({ id }) => id}
          query={query}
          sort={sort ?? "slug"}
          onSort={setSort}
          sorted
          more={more}
          onRow={({ slug }) => void navigate({ to: "/tenants/$slug", params: { slug } })}
          empty={<None q={q} may={may} onMake={() => setMaking(true)} />}
        />
      </Panel>
      {making && <NewTenant close={() => setMaking(false)} />}
      {asked?.deed === "suspend" && <SuspendTenant tenant={asked.tenant} close={close} />}
      {asked?.deed === "delete" && <DeleteTenant tenant={asked.tenant} close={close} />}
    </>
  );
}

function None({ q, may, onMake }: { q: string | undefined; may: boolean; onMake: () => void }) {
  if (q)
    return (
      <Empty title={`No tenant has “${q}” in its slug or name`}>
        Search for less, or for something else.
      </Empty>
    );
  return (
    <Empty title="There are no tenants yet">
      {may ? (
        <Button mt={8} onClick={onMake}>
          Create the first tenant
        </Button>
      ) : (
        "An operator with the admin key creates them."
      )}
    </Empty>
  );
}
