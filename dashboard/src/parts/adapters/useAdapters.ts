import { ADAPTER_ORDERS, adapterPage, type Owner } from "../../api/adapters";
import { usePages } from "../usePages";

/** The order that the server is asked for: by name where it does not know the one in the address. */
export const orderOf = (sort: string | undefined) => ADAPTER_ORDERS.find((known) => known === sort) ?? "name";

export function useAdapters(owner: Owner, q = "", sort?: string) {
  const order = orderOf(sort);
  return usePages(["adapters", owner, "list", q, order], (after, signal) =>
    adapterPage(owner, { after, q, order }, signal),
  );
}
