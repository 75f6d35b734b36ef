import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { useSession } from "../../api/session";
import { ownKeys } from "../../parts/keys/routes";

/** Names of a tenant's own keys, where its key may see them; else the beginnings of their ids. */
export function useKeyNames(): (id: string) => string {
  const { operator, can } = useSession();
  const { data } = useQuery({
    queryKey: ownKeys.queryKey,
    queryFn: ownKeys.list,
    enabled: !operator && can("keys:write"),
  });
  return useCallback(
    (id: string) => data?.find((key) => key.id === id)?.name ?? `tk_${id.slice(0, 8)}…${id.slice(-4)}`,
    [data],
  );
}
