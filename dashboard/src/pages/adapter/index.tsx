// One adapter: its versions, who gets which, and another upload.
import { Breadcrumbs, Button, Stack, Tabs } from "@mantine/core";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { ApiFailure } from "../../api/client";
import { useSession } from "../../api/session";
import { Empty } from "../../parts/Empty";
import { PageHeader } from "../../parts/PageHeader";
import { PageLink } from "../../parts/PageLink";
import { UploadPanel } from "../../parts/upload/UploadPanel";
import { useSetSearch } from "../../parts/useListSearch";
import { AliasesTab } from "./AliasesTab";
import { DeleteAdapter } from "./deletes";
import { useVersions, type Which } from "./useAdapter";
import { VersionsTab } from "./VersionsTab";

export function Adapter() {
  const { operator } = useSession();
  const { name } = useParams({ from: "/shell/adapters/$name" });
  const { tenant } = useSearch({ from: "/shell/adapters/$name" });
  const which = { owner: operator ? (tenant ?? "") : null, name };
  const { query } = useVersions(which);
  if (query.error instanceof ApiFailure && query.error.status === 404) {
    return (
      <Empty title={`There is no adapter ${name}`}>
        It was deleted, or never uploaded. <PageLink to="/adapters">Go to the adapters</PageLink>
      </Empty>
    );
  }
  // A fresh page for another adapter: its dialogs and uploads are its own.
  return <Found key={name} which={which} />;
}

function Found({ which }: { which: Which }) {
  const { operator, can } = useSession();
  const { name } = which;
  const { tenant, tab = "versions" } = useSearch({ from: "/shell/adapters/$name" });
  const setSearch = useSetSearch();
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  const may = !operator && can("adapters:write");
  return (
    <>
      <PageHeader
        title={name}
        crumbs={
          <Breadcrumbs mb={4}>
            <PageLink to="/adapters" search={operator && tenant ? { tenant } : {}} size="xs">
              {operator ? `Adapters of ${tenant ?? "?"}` : "Adapters"}
            </PageLink>
            <span className="mono">{name}</span>
          </Breadcrumbs>
        }
      >
        {can("chat") && (
          <Button
            variant="default"
            onClick={() => void navigate({ to: "/playground", search: { models: `base,${name}` } })}
          >
            Try it
          </Button>
        )}
        {may && (
          <Button variant="light" color="red" onClick={() => setDeleting(true)}>
            Delete
          </Button>
        )}
      </PageHeader>
      <Stack gap="md">
        {may && <UploadPanel name={name} />}
        <Tabs
          value={tab}
          onChange={(next) => setSearch({ tab: next ?? undefined, sort: undefined }, true)}
          keepMounted={false}
        >
          <Tabs.List mb="md">
            <Tabs.Tab value="versions">Versions</Tabs.Tab>
            <Tabs.Tab value="aliases">Aliases</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="versions">
            <VersionsTab which={which} may={may} />
          </Tabs.Panel>
          <Tabs.Panel value="aliases">
            <AliasesTab which={which} may={may} />
          </Tabs.Panel>
        </Tabs>
      </Stack>
      {deleting && (
        <DeleteAdapter
          name={name}
          close={() => setDeleting(false)}
          onDeleted={() => void navigate({ to: "/adapters" })}
        />
      )}
    </>
  );
}
