import { ActionIcon, Menu } from "@mantine/core";
import type { Tenant } from "../../api/types";
import { Icon } from "../../parts/Icon";
import type { TenantDeed } from "../../parts/tenantDeeds";
import { isSuspended } from "../../parts/TenantState";

interface Props {
  tenant: Tenant;
  onDeed: (deed: TenantDeed) => void;
}

export function TenantMenu({ tenant, onDeed }: Props) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${tenant.slug}`}>
          <Icon name="more" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => onDeed("suspend")}>
          {isSuspended(tenant) ? "Resume…" : "Suspend…"}
        </Menu.Item>
        <Menu.Item color="red" onClick={() => onDeed("delete")}>
          Delete…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
