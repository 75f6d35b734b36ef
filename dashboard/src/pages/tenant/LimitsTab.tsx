// The tenant's own limits: to change, or to look at.
import { Text } from "@mantine/core";
import { useSession } from "../../api/session";
import type { Tenant } from "../../api/types";
import { ALL_LIMITS } from "../../parts/limits/limits";
import { LimitTable } from "../../parts/limits/LimitTable";
import { useDefaultLimits } from "../../parts/limits/useDefaultLimits";
import { Panel } from "../../parts/Panel";
import { LimitsEditor } from "./LimitsEditor";

export function LimitsTab({ tenant }: { tenant: Tenant }) {
  const { can } = useSession();
  const defaults = useDefaultLimits();
  return (
    <>
      <Text size="sm" c="dimmed" mb="md">
        The server's defaults come from its settings <code>TENORA_DEFAULT_…</code>, and are no limit where
        those are not set.
      </Text>
      {can("tenants:write") ? (
        <LimitsEditor tenant={tenant} defaults={defaults} />
      ) : (
        <Panel flush>
          <LimitTable limits={ALL_LIMITS} own={tenant.limits} defaults={defaults} />
        </Panel>
      )}
    </>
  );
}
