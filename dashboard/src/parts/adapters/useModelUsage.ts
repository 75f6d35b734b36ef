// What each version answered lately, by its name in requests.
import { useQuery } from "@tanstack/react-query";
import type { Owner } from "../../api/adapters";
import { api, data } from "../../api/client";

export const USAGE_DAYS = 30;
const DAY_S = 86_400;

export interface ModelUsage {
  requests: number;
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
}

/** By `name@7`, or the base model's id. */
export type UsageByModel = ReadonlyMap<string, ModelUsage>;

export const NO_USAGE: ModelUsage = { requests: 0, inputTokens: 0, cachedTokens: 0, outputTokens: 0 };

export function useModelUsage(owner: Owner, enabled: boolean) {
  return useQuery({
    queryKey: ["model-usage", owner],
    queryFn: () => read(owner),
    staleTime: 30_000,
    enabled,
  });
}

async function read(owner: Owner): Promise<UsageByModel> {
  const start_time = Math.floor(Date.now() / 1000) - (USAGE_DAYS - 1) * DAY_S;
  const query = { start_time, bucket_width: "1d" as const, group_by: ["model" as const], limit: 31 };
  const { data: buckets } = await data(
    owner === null
      ? api.GET("/v1/usage", { params: { query } })
      : api.GET("/admin/v1/usage", { params: { query: { ...query, project_ids: [owner] } } }),
  );
  const usage = new Map<string, ModelUsage>();
  for (const result of buckets.flatMap(({ results }) => results)) {
    add(usage, result.model ?? "", {
      requests: result.num_model_requests,
      inputTokens: result.input_tokens,
      cachedTokens: result.input_cached_tokens,
      outputTokens: result.output_tokens,
    });
  }
  return usage;
}

/** All versions of an adapter together, by its name. */
export function usageByAdapter(usage: UsageByModel): UsageByModel {
  const sums = new Map<string, ModelUsage>();
  for (const [model, one] of usage) add(sums, model.replace(/@\d+$/, ""), one);
  return sums;
}

function add(sums: Map<string, ModelUsage>, name: string, more: ModelUsage) {
  const sum = sums.get(name) ?? NO_USAGE;
  sums.set(name, {
    requests: sum.requests + more.requests,
    inputTokens: sum.inputTokens + more.inputTokens,
    cachedTokens: sum.cachedTokens + more.cachedTokens,
    outputTokens: sum.outputTokens + more.outputTokens,
  });
}
