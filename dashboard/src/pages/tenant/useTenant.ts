import { useQuery } from "@tanstack/react-query";
import { api, data } from "../../api/client";
import type { Tenant } from "../../api/types";

export const readTenant = (slug: string): Promise<Tenant> =>
  data(api.GET("/admin/v1/tenants/{slug}", { params: { path: { slug } } }));

export const tenantKey = (slug: string) => ["tenants", "one", slug];

export function useTenant(slug: string) {
  return useQuery({ queryKey: tenantKey(slug), queryFn: () => readTenant(slug) });
}
