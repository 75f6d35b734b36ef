import { useQuery } from "@tanstack/react-query";
import { api, data } from "../../api/client";
import type { AuditEvent } from "../../api/types";
import { usePages } from "../../parts/usePages";

export interface Asked {
  tenant?: string | undefined;
  type?: string | undefined;
  since?: number | undefined;
  until?: number | undefined;
}

export function useAudit(asked: Asked) {
  return usePages(["audit", asked], (after, signal) =>
    data(api.GET("/admin/v1/audit", { params: { query: { ...asked, after, limit: 100 } }, signal })),
  );
}

/** Beginnings of ids are milliseconds (UUID version 7). */
const secondOf = (id: string) => Math.floor(parseInt(id.replaceAll("-", "").slice(0, 12), 16) / 1000);

/** One event by its id, for an address that was passed on: the API only lists, so it is looked for in its second. */
export function useEvent(id: string | undefined, listed: AuditEvent[] | undefined) {
  const there = listed?.find((event) => event.id === id);
  const { data: found } = useQuery({
    queryKey: ["audit", "event", id],
    enabled: id !== undefined && listed !== undefined && !there,
    queryFn: async ({ signal }) => {
      const at = secondOf(id ?? "");
      if (Number.isNaN(at)) return null;
      const query = { since: at - 1, until: at + 2, limit: 100 };
      const page = await data(api.GET("/admin/v1/audit", { params: { query }, signal }));
      return page.data.find((event) => event.id === id) ?? null;
    },
  });
  return there ?? found ?? undefined;
}
