import { adapterPage, nameBefore, type Owner } from "../../api/adapters";
import { usePages } from "../usePages";

/** By name; with `q` those that begin with it, which the server's order makes a range of its list. */
export function useAdapters(owner: Owner, q: string | undefined) {
  const prefix = (q ?? "").trim().toLowerCase();
  return usePages(["adapters", owner, "list", prefix], async (after, signal) => {
    // What cannot be in a name begins none.
    if (!/^([a-z0-9][a-z0-9._-]*)?$/.test(prefix)) return { data: [], last_id: null, has_more: false };
    const page = await adapterPage(
      owner,
      { after: after ?? (prefix === "" ? undefined : nameBefore(prefix)) },
      signal,
    );
    const data = page.data.filter(({ name }) => name.startsWith(prefix));
    return { data, last_id: page.last_id, has_more: page.has_more && data.length === page.data.length };
  });
}
