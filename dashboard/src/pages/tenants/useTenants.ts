import { api, data } from "../../api/client";
import { usePages } from "../../parts/usePages";

/** By slug or by age; `-` turns it round. */
export type TenantOrder = "slug" | "-slug" | "created_at" | "-created_at";

const PAGE_ROWS = 100;

/** Searched and sorted by the server: there may be ten thousand. */
export function useTenants(q: string | undefined, order: TenantOrder = "slug") {
  return usePages(["tenants", "list", q ?? "", order], (after, signal) => {
    const query = { limit: PAGE_ROWS, order, ...(after ? { after } : {}), ...(q ? { q } : {}) };
    return data(api.GET("/admin/v1/tenants", { params: { query }, signal }));
  });
}
