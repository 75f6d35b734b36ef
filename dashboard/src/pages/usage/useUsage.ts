import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, data } from "../../api/client";
import type { UsageBucket } from "../../api/types";
import type { Period } from "./period";

export type By = "tenant" | "model" | "key";
type Column = "project_id" | "model" | "api_key_id";

/** The most buckets that a page of the API has. */
const mostOf = { "1h": 168, "1d": 31 };

/** For the operator, names of models and ids of keys say little without their tenant. */
const groupsFor = (by: By, operator: boolean): Column[] => {
  const own = ({ tenant: "project_id", model: "model", key: "api_key_id" } as const)[by];
  return operator && own !== "project_id" ? ["project_id", own] : [own];
};

export function useUsage(period: Period, by: By, operator: boolean, tenant: string | undefined) {
  const { start, end, width } = period;
  return useQuery({
    queryKey: ["usage", operator, start, end, width, by, tenant],
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
    queryFn: async ({ signal }): Promise<UsageBucket[]> => {
      const buckets: UsageBucket[] = [];
      let page: string | undefined;
      for (;;) {
        const query = {
          start_time: start,
          ...(end !== undefined && { end_time: end }),
          bucket_width: width,
          group_by: groupsFor(by, operator),
          limit: mostOf[width],
          ...(page !== undefined && { page }),
        };
        const answer = operator
          ? await data(
              api.GET("/admin/v1/usage", {
                params: { query: { ...query, ...(tenant && { project_ids: [tenant] }) } },
                signal,
              }),
            )
          : await data(api.GET("/v1/usage", { params: { query }, signal }));
        buckets.push(...answer.data);
        page = answer.next_page ?? undefined;
        if (!answer.has_more || page === undefined) return buckets;
      }
    },
  });
}
