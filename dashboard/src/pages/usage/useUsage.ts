import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { UsageBucket } from "../../api/types";
import { TOLD_APART } from "./groups";
import { type Asked, PAGE_BUCKETS, usagePages } from "./readUsage";

/** As much as the page shows: of ten thousand tenants, the largest few and all others as one. */
export function useUsage(asked: Asked) {
  const { period, by, operator, tenant, model } = asked;
  const { start, end, width } = period;
  return useQuery({
    queryKey: ["usage", operator, start, end, width, by, tenant, model],
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
    queryFn: async ({ signal }) => {
      const size = { limit: PAGE_BUCKETS[width], top: TOLD_APART };
      const buckets: UsageBucket[] = [];
      for await (const page of usagePages(asked, size, signal)) buckets.push(...page);
      return buckets;
    },
  });
}
