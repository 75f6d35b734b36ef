// One tenant, for the operator: what it is, may, has and uses.
import { Breadcrumbs, Button, Tabs } from "@mantine/core";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useSession } from "../../api/session";
import type { Tenant as TenantShape } from "../../api/types";
import { ErrorState } from "../../parts/ErrorState";
import { Loading } from "../../parts/Loading";
import { PageHeader } from "../../parts/PageHeader";
import { PageLink } from "../../parts/PageLink";
import { DeleteTenant, SuspendTenant, type TenantDeed } from "../../parts/tenantDeeds";
import { isSuspended, TenantState } from "../../parts/TenantState";
import { useSetSearch } from "../../parts/useListSearch";
import { AdaptersTab } from "./AdaptersTab";
import { KeysTab } from "./KeysTab";
import { LimitsTab } from "./LimitsTab";
import { OverviewTab } from "./OverviewTab";
import { UsageTab } from "./UsageTab";
import { useTenant } from "./useTenant";

const TABS = [
  { value: "overview", label: "Overview", Body: OverviewTab },
  { value: "limits", label: "Limits", Body: LimitsTab },
  { value: "keys", label: "Keys", Body: KeysTab },
  { value: "usage", label: "Usage", Body: UsageTab },
  { value: "adapters", label: "Adapters", Body: AdaptersTab },
];

export function Tenant() {
  const { slug } = useParams({ from: "/shell/tenants/$slug" });
  const { data: tenant, error, refetch } = useTenant(slug);
  if (tenant) return <Found tenant={tenant} />;
  return error ? <ErrorState error={error} retry={() => void refetch()} /> : <Loading />;
}

function Found({ tenant }: { tenant: TenantShape }) {
  const { can } = useSession();
  const { tab: named } = useSearch({ from: "/shell/tenants/$slug" });
  const setSearch = useSetSearch();
  const navigate = useNavigate();
  const [deed, setDeed] = useState<TenantDeed | null>(null);
  const tab = TABS.find(({ value }) => value === named) ?? TABS[0];
  const close = () => setDeed(null);
  return (
    <>
      <PageHeader
        title={tenant.name}
        crumbs={
          <Breadcrumbs mb={4}>
            <PageLink to="/tenants" size="xs">
              Tenants
            </PageLink>
            <span className="mono">{tenant.slug}</span>
          </Breadcrumbs>
        }
        note={<TenantState tenant={tenant} />}
      >
        {can("tenants:write") && (
          <>
            <Button variant="default" onClick={() => setDeed("suspend")}>
              {isSuspended(tenant) ? "Resume" : "Suspend"}
            </Button>
            <Button variant="light" color="red" onClick={() => setDeed("delete")}>
              Delete
            </Button>
          </>
        )}
      </PageHeader>
      <Tabs
        value={tab?.value ?? null}
        onChange={(value) => setSearch({ tab: value ?? undefined, q: undefined, sort: undefined }, true)}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {TABS.map(({ value, label }) => (
            <Tabs.Tab key={value} value={value}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {TABS.map(({ value, Body }) => (
          <Tabs.Panel key={value} value={value}>
            <Body tenant={tenant} />
          </Tabs.Panel>
        ))}
      </Tabs>
      {deed === "suspend" && <SuspendTenant tenant={tenant} close={close} />}
      {deed === "delete" && (
        <DeleteTenant tenant={tenant} close={close} onDeleted={() => void navigate({ to: "/tenants" })} />
      )}
    </>
  );
}
