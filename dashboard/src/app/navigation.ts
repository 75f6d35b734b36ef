// What is in the menu, for whom.
import { can, type Permission } from "../api/permission";
import type { Session } from "../api/types";
import type { IconName } from "../parts/Icon";

const items = [
  { to: "/", label: "Overview", icon: "pulse", needs: "usage:read" },
  { to: "/tenants", label: "Tenants", icon: "building", needs: "tenants:read" },
  { to: "/adapters", label: "Adapters", icon: "layers", needs: "adapters:read" },
  { to: "/playground", label: "Playground", icon: "chat", needs: "chat" },
  { to: "/keys", label: "Keys", icon: "key", needs: "keys:write" },
  { to: "/usage", label: "Usage", icon: "bars", needs: "usage:read" },
  { to: "/audit", label: "Audit", icon: "list", needs: "audit:read" },
] as const satisfies { to: string; label: string; icon: IconName; needs: Permission }[];

export const menuOf = (session: Session) => items.filter((item) => can(session, item.needs));

/** The page to begin with: a key may be unable to open the overview. */
export const firstPage = (session: Session) => menuOf(session)[0]?.to ?? "/playground";
