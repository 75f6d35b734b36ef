// A tenant's adapters: the list, uploads, and what became of each push. An operator looks at one tenant's list.
import { Stack, Tabs } from "@mantine/core";
import { useSearch } from "@tanstack/react-router";
import { useSession } from "../../api/session";
import { AdapterTable } from "../../parts/adapters/AdapterTable";
import { Empty } from "../../parts/Empty";
import { PageHeader } from "../../parts/PageHeader";
import { Panel } from "../../parts/Panel";
import { SearchField } from "../../parts/SearchField";
import { useListSearch, useSetSearch } from "../../parts/useListSearch";
import { Pushes } from "./Pushes";
import { TenantChoice } from "./TenantChoice";
import { Unfinished } from "./Unfinished";
import { UploadPanel } from "../../parts/upload/UploadPanel";

export function Adapters() {
  const { operator } = useSession();
  return operator ? <OfTenant /> : <Own />;
}

function Search() {
  const { q, setQ } = useListSearch();
  return <SearchField label="Search by name" value={q} onChange={setQ} />;
}

function OfTenant() {
  const { tenant } = useSearch({ from: "/shell/adapters" });
  const setSearch = useSetSearch();
  return (
    <>
      <PageHeader title="Adapters" note="Of one tenant, to look at. The tenant uploads and rolls out.">
        <TenantChoice slug={tenant} onChange={(slug) => setSearch({ tenant: slug, q: undefined }, true)} />
        {tenant && <Search />}
      </PageHeader>
      {tenant ? (
        <AdapterTable owner={tenant} empty={<Empty title={`${tenant} has no adapters`} />} />
      ) : (
        <Panel>
          <Empty title="Choose a tenant">Its adapters are shown here.</Empty>
        </Panel>
      )}
    </>
  );
}

function Own() {
  const { can } = useSession();
  const { tab = "adapters" } = useSearch({ from: "/shell/adapters" });
  const setSearch = useSetSearch();
  const may = can("adapters:write");
  return (
    <>
      <PageHeader title="Adapters" note="LoRA fine-tunes of the base model, each under a name of your own.">
        {tab === "adapters" && <Search />}
      </PageHeader>
      <Stack gap="md">
        {may && <UploadPanel />}
        {may && <Unfinished />}
        <Tabs
          value={tab}
          onChange={(next) => setSearch({ tab: next === "adapters" ? undefined : (next ?? undefined) }, true)}
          keepMounted={false}
        >
          <Tabs.List mb="md">
            <Tabs.Tab value="adapters">Adapters</Tabs.Tab>
            <Tabs.Tab value="pushes">Pushes</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="adapters">
            <AdapterTable owner={null} empty={<NoneYet may={may} />} />
          </Tabs.Panel>
          <Tabs.Panel value="pushes">
            <Pushes />
          </Tabs.Panel>
        </Tabs>
      </Stack>
    </>
  );
}

const NoneYet = ({ may }: { may: boolean }) => (
  <Empty title="There are no adapters yet">
    {may
      ? "Train one with PEFT on the base model, and drop the folder it saves above."
      : "A key with the scope adapters:write uploads them."}
  </Empty>
);
