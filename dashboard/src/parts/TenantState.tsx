import { Badge } from "@mantine/core";
import type { Tenant } from "../api/types";

export const isSuspended = (tenant: Tenant) => tenant.status === "suspended";

export function TenantState({ tenant }: { tenant: Tenant }) {
  const suspended = isSuspended(tenant);
  return (
    <Badge variant="light" color={suspended ? "orange" : "teal"} tt="none">
      {suspended ? "Suspended" : "Active"}
    </Badge>
  );
}
