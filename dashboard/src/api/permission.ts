// What a session may do: from its role and scopes, nothing else.
import type { Scope, Session } from "./types";

/** A tenant's scopes, and what only the operator's keys open. */
export type Permission = Scope | "tenants:read" | "tenants:write" | "audit:read";

const operatorReads: Permission[] = ["tenants:read", "audit:read", "usage:read", "adapters:read"];

export function can(session: Session, permission: Permission): boolean {
  switch (session.role) {
    case "admin":
      return permission === "tenants:write" || operatorReads.includes(permission);
    case "viewer":
      return operatorReads.includes(permission);
    case "tenant":
      return (session.scopes as Permission[]).includes(permission);
  }
}
