// A tenant at a glance.
import { Button, SimpleGrid, Stack, Table, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { api, data } from "../../api/client";
import { useSession } from "../../api/session";
import type { Tenant } from "../../api/types";
import { ErrorRate } from "../../parts/adapters/ErrorRate";
import { USAGE_DAYS } from "../../parts/adapters/modelUsage";
import { Copy } from "../../parts/Copy";
import { ErrorLine } from "../../parts/ErrorLine";
import { compact, count } from "../../parts/format";
import { keysOfTenant, stateOf } from "../../parts/keys/routes";
import { ALL_LIMITS } from "../../parts/limits/limits";
import { LimitTable } from "../../parts/limits/LimitTable";
import { useDefaultLimits } from "../../parts/limits/useDefaultLimits";
import { Panel } from "../../parts/Panel";
import { tellDone } from "../../parts/tell";
import { Time } from "../../parts/Time";
import { useNow } from "../../parts/useNow";
import { tenantKey } from "./useTenant";
import { useTotal } from "./useTenantUsage";

export function OverviewTab({ tenant }: { tenant: Tenant }) {
  const { can } = useSession();
  const defaults = useDefaultLimits();
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      <Stack gap="md">
        <Facts tenant={tenant} />
        {can("tenants:write") && <Rename tenant={tenant} />}
      </Stack>
      <Panel title="Limits" flush>
        <LimitTable limits={ALL_LIMITS} own={tenant.limits} defaults={defaults} />
      </Panel>
    </SimpleGrid>
  );
}

function Facts({ tenant }: { tenant: Tenant }) {
  const routes = keysOfTenant(tenant.slug);
  const { data: keys } = useQuery({ queryKey: routes.queryKey, queryFn: routes.list });
  const { data: usage } = useTotal(tenant.slug);
  const now = useNow();
  const working = keys?.filter((key) => stateOf(key, now) === "active").length;
  return (
    <Panel title="Tenant" flush>
      <Table aria-label="Tenant">
        <Table.Tbody>
          <Row name="Slug">
            <code>{tenant.slug}</code> <Copy text={tenant.slug} label="Copy the slug" />
          </Row>
          <Row name="Id">
            <code>{tenant.id}</code> <Copy text={tenant.id} label="Copy the id" />
          </Row>
          <Row name="Created">
            <Time at={tenant.created_at} />
          </Row>
          <Row name="Keys that work">{working === undefined ? "–" : count(working)}</Row>
          <Row name={`Requests, ${USAGE_DAYS} days`}>{usage ? count(usage.requests) : "–"}</Row>
          <Row name={`Errors, ${USAGE_DAYS} days`}>
            <ErrorRate of={usage} />
          </Row>
          <Row name={`Tokens, ${USAGE_DAYS} days`}>
            {usage ? compact(usage.inputTokens + usage.outputTokens) : "–"}
          </Row>
        </Table.Tbody>
      </Table>
    </Panel>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" w="45%" fw={400} c="dimmed">
        {name}
      </Table.Th>
      <Table.Td className="num">{children}</Table.Td>
    </Table.Tr>
  );
}

function Rename({ tenant }: { tenant: Tenant }) {
  const [name, setName] = useState(tenant.name);
  const client = useQueryClient();
  const rename = useMutation({
    mutationFn: () => {
      const body = { name: name.trim() };
      return data(api.PATCH("/admin/v1/tenants/{slug}", { params: { path: { slug: tenant.slug } }, body }));
    },
    onSuccess: async (now) => {
      client.setQueryData(tenantKey(now.slug), now);
      tellDone("The name is changed.");
      await client.invalidateQueries({ queryKey: ["tenants", "list"] });
    },
  });
  return (
    <Panel title="Name">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          rename.mutate();
        }}
      >
        <Stack gap="sm" align="flex-start">
          <TextInput
            w="100%"
            label="Name for people"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            autoComplete="off"
          />
          <ErrorLine error={rename.error} />
          <Button
            type="submit"
            variant="default"
            disabled={name.trim() === "" || name.trim() === tenant.name}
            loading={rename.isPending}
          >
            Rename
          </Button>
        </Stack>
      </form>
    </Panel>
  );
}
