import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useSession } from "../../api/session";
import { keyLabel } from "../../parts/format";
import { ownKeys } from "../../parts/keys/routes";

export type KeyNames = ReadonlyMap<string, string>;

/** Names of a tenant's own keys, where its key may see them. */
export function useKeyNames(): KeyNames {
  const { operator, can } = useSession();
  const { data } = useQuery({
    queryKey: ownKeys.queryKey,
    queryFn: ownKeys.list,
    enabled: !operator && can("keys:write"),
  });
  return useMemo(() => new Map(data?.map((key) => [key.id, key.name])), [data]);
}

/** What a key is called on the page; callers with a token of an identity provider have none. */
export const nameOfKey = (id: string | null, names: KeyNames) =>
  id === null ? "Tokens (JWT)" : (names.get(id) ?? keyLabel(id));
