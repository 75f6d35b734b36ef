import type { Tenant } from "../api/types";
import { StateBadge } from "./StateBadge";

export const isSuspended = (tenant: Tenant) => tenant.status === "suspended";

export function TenantState({ tenant }: { tenant: Tenant }) {
  const suspended = isSuspended(tenant);
  return <StateBadge color={suspended ? "orange" : "teal"} label={suspended ? "Suspended" : "Active"} />;
}
