// One adapter's versions and aliases, and what changes them.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { aliasesOf, versionPage, type Owner } from "../../api/adapters";
import { api, data } from "../../api/client";
import type { AliasDetail } from "../../api/types";
import { usePages } from "../../parts/usePages";

/** Which adapter, and whose: an operator looks at a tenant's, and changes nothing. */
export interface Which {
  owner: Owner;
  name: string;
}

export const useVersions = ({ owner, name }: Which) =>
  usePages(["adapter", owner, name, "versions"], (after, signal) =>
    versionPage(owner, name, { after }, signal),
  );

export const useAliases = ({ owner, name }: Which) =>
  useQuery({
    queryKey: ["adapter", owner, name, "aliases"],
    queryFn: ({ signal }) => aliasesOf(owner, name, signal),
  });

export const readAlias = (name: string, alias: string): Promise<AliasDetail> =>
  data(api.GET("/v1/adapters/{name}/aliases/{alias}", { params: { path: { name, alias } } }));

/** With its history; only its own tenant sees that. */
export const useAlias = (name: string, alias: string) =>
  useQuery({ queryKey: ["adapter", null, name, "alias", alias], queryFn: () => readAlias(name, alias) });

/** Everything that is shown of this tenant's adapters is asked for again. */
export function useRefresh() {
  const client = useQueryClient();
  return useCallback(() => {
    for (const key of ["adapter", "adapters", "models"]) void client.invalidateQueries({ queryKey: [key] });
  }, [client]);
}
