import { api, data } from "../../api/client";
import { usePages } from "../../parts/usePages";

const PAGE_ROWS = 100;

/** Searched and sorted by the server: there may be ten thousand. */
export function useTenants(q: string | undefined, order = "slug") {
  return usePages(["tenants", "list", q ?? "", order], (after, signal) => {
    const query = { limit: PAGE_ROWS, order, ...(after ? { after } : {}), ...(q ? { q } : {}) };
    return data(api.GET("/admin/v1/tenants", { params: { query }, signal }));
  });
}
