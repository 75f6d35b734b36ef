import { useMemo } from "react";
import { useSession } from "../../api/session";
import type { Tenant } from "../../api/types";
import { Keys } from "../../parts/keys/Keys";
import { keysOfTenant, SCOPES } from "../../parts/keys/routes";

const every = SCOPES.map(({ scope }) => scope);

export function KeysTab({ tenant: { slug } }: { tenant: Tenant }) {
  const { can } = useSession();
  const routes = useMemo(() => keysOfTenant(slug), [slug]);
  return <Keys routes={routes} may={can("tenants:write")} grantable={every} />;
}
