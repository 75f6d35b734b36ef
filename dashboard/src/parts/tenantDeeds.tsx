// What an operator does to a whole tenant, each asked for with its consequences. The list and the tenant's page offer both.
import { List, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, data } from "../api/client";
import type { Tenant } from "../api/types";
import { Confirm } from "./Confirm";
import { isSuspended } from "./TenantState";
import { tellDone } from "./tell";

export type TenantDeed = "suspend" | "delete";

interface Props {
  tenant: Tenant;
  close: () => void;
}

/** Suspends, or resumes what is suspended. */
export function SuspendTenant({ tenant, close }: Props) {
  const client = useQueryClient();
  const suspended = isSuspended(tenant);
  const change = useMutation({
    mutationFn: () => {
      const body = { status: suspended ? "active" : "suspended" };
      return data(api.PATCH("/admin/v1/tenants/{slug}", { params: { path: { slug: tenant.slug } }, body }));
    },
    onSuccess: async () => {
      tellDone(suspended ? `${tenant.slug} is served again.` : `${tenant.slug} is suspended.`);
      close();
      await client.invalidateQueries({ queryKey: ["tenants"] });
    },
  });
  return (
    <Confirm
      opened
      close={close}
      title={suspended ? `Resume ${tenant.slug}?` : `Suspend ${tenant.slug}?`}
      action={suspended ? "Resume" : "Suspend"}
      danger={!suspended}
      pending={change.isPending}
      error={change.error}
      act={() => change.mutate()}
    >
      {suspended
        ? "Its keys work again within a second. Nothing was lost while it was suspended."
        : "Its requests are refused within a second with 403 tenant_suspended, and answers that are running end. Keys, adapters and limits stay, and it can be resumed at any time."}
    </Confirm>
  );
}

export function DeleteTenant({ tenant, close, onDeleted }: Props & { onDeleted?: () => void }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () =>
      data(api.DELETE("/admin/v1/tenants/{slug}", { params: { path: { slug: tenant.slug } } })),
    onSuccess: async () => {
      tellDone(`${tenant.slug} is deleted.`);
      close();
      onDeleted?.();
      await client.invalidateQueries({ queryKey: ["tenants"] });
    },
  });
  return (
    <Confirm
      opened
      close={close}
      title={`Delete ${tenant.slug}?`}
      action="Delete this tenant"
      type={tenant.slug}
      pending={remove.isPending}
      error={remove.error}
      act={() => remove.mutate()}
    >
      <Text size="sm" mb={6}>
        This cannot be undone.
      </Text>
      <List size="sm" spacing={4}>
        <List.Item>All its keys end, and answers that are running with them.</List.Item>
        <List.Item>All its adapters are deleted, with their versions, aliases and bytes.</List.Item>
        <List.Item>Its usage and its audit log stay.</List.Item>
        <List.Item>
          Nobody gets the slug <code>{tenant.slug}</code> again.
        </List.Item>
      </List>
    </Confirm>
  );
}
