import { useQuery } from "@tanstack/react-query";
import { api, data } from "../../api/client";
import type { Limits } from "../../api/types";

/** The limits of a tenant that has none of its own, for operators; undefined while they are not known. */
export function useDefaultLimits(): Limits | undefined {
  const { data: defaults } = useQuery({
    queryKey: ["default-limits"],
    queryFn: async ({ signal }) => (await data(api.GET("/admin/v1/limits", { signal }))).limits,
    // They are settings, and change with a restart.
    staleTime: 300_000,
  });
  return defaults;
}
