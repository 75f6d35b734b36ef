import { adapterPage, type Owner } from "../../api/adapters";
import { usePages } from "../usePages";

/** By name; with `q` those that begin with it. */
export function useAdapters(owner: Owner, q: string | undefined) {
  const prefix = (q ?? "").trim().toLowerCase();
  return usePages(["adapters", owner, "list", prefix], (after, signal) =>
    adapterPage(owner, prefix, { after }, signal),
  );
}
