// A change of limits replaces all of them, so that one of somebody else is looked for first.
import { Button, Group, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data } from "../../api/client";
import type { Limits, Tenant } from "../../api/types";
import { ErrorLine } from "../../parts/ErrorLine";
import { LimitFields } from "../../parts/limits/LimitFields";
import {
  ADAPTER_LIMITS,
  draftsOf,
  limitsOf,
  REQUEST_LIMITS,
  type LimitOverrides,
} from "../../parts/limits/limits";
import { Panel } from "../../parts/Panel";
import { tellDone } from "../../parts/tell";
import { readTenant, tenantKey } from "./useTenant";

interface Props {
  tenant: Tenant;
  defaults: Limits | undefined;
}

export function LimitsEditor({ tenant, defaults }: Props) {
  const client = useQueryClient();
  const [drafts, setDrafts] = useState(() => draftsOf(tenant.limits));
  // What the drafts began with: a background refresh changes `tenant`, not them.
  const [before, setBefore] = useState(tenant.limits);
  const read = limitsOf(drafts);
  const changed = "wrong" in read || !same(read.limits, before);
  const begin = (limits: LimitOverrides) => {
    setBefore(limits);
    setDrafts(draftsOf(limits));
  };
  const save = useMutation({
    mutationFn: (limits: LimitOverrides) => replace(tenant.slug, before, limits),
    onSuccess: (now) => {
      client.setQueryData(tenantKey(tenant.slug), now);
      begin(now.limits);
      tellDone("The limits hold from now on, on every server within a second.");
    },
    onError: () => client.invalidateQueries({ queryKey: tenantKey(tenant.slug) }),
  });
  const fields = {
    drafts,
    unset: "Server default",
    defaults,
    onChange: (name: keyof LimitOverrides, draft: NonNullable<(typeof drafts)[typeof name]>) =>
      setDrafts((now) => ({ ...now, [name]: draft })),
  };
  const reset = () => {
    begin(tenant.limits);
    save.reset();
  };

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if ("limits" in read) save.mutate(read.limits);
      }}
    >
      <Stack gap="md" maw={860}>
        <Panel title="Requests">
          <LimitFields limits={REQUEST_LIMITS} {...fields} />
        </Panel>
        <Panel title="Adapters">
          <LimitFields limits={ADAPTER_LIMITS} {...fields} />
        </Panel>
        <ErrorLine error={save.error} />
        <Group gap="xs">
          <Button type="submit" disabled={!changed || "wrong" in read} loading={save.isPending}>
            Save limits
          </Button>
          <Button variant="default" disabled={!changed && !save.isError} onClick={reset}>
            Discard changes
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

async function replace(slug: string, before: LimitOverrides, limits: LimitOverrides): Promise<Tenant> {
  const now = await readTenant(slug);
  if (!same(now.limits, before)) {
    throw new Error(
      "Somebody else has changed these limits meanwhile. Discard your changes to see theirs, then change them again.",
    );
  }
  return data(api.PATCH("/admin/v1/tenants/{slug}", { params: { path: { slug } }, body: { limits } }));
}

const same = (a: LimitOverrides, b: LimitOverrides) => spelled(a) === spelled(b);
const spelled = (limits: LimitOverrides) =>
  JSON.stringify(
    Object.entries(limits)
      .filter(([, cap]) => cap !== null)
      .sort(),
  );
