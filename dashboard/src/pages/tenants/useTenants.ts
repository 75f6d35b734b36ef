import { api, data } from "../../api/client";
import { usePages } from "../../parts/usePages";

const PAGE_ROWS = 100;
const ORDERS = ["slug", "-slug", "created_at", "-created_at"] as const;

/** Searched and sorted by the server: there may be ten thousand. An order that it does not know is by slug. */
export function useTenants(q: string | undefined, sort: string | undefined) {
  const order = ORDERS.find((known) => known === sort) ?? "slug";
  return usePages(["tenants", "list", q ?? "", order], (after, signal) => {
    const query = { limit: PAGE_ROWS, order, ...(after ? { after } : {}), ...(q ? { q } : {}) };
    return data(api.GET("/admin/v1/tenants", { params: { query }, signal }));
  });
}
