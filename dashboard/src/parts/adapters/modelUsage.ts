// What was used lately, summed up as lists show it.
import type { Owner } from "../../api/adapters";
import { api, data } from "../../api/client";
import type { UsageResult } from "../../api/types";

export const USAGE_DAYS = 30;
const DAY_S = 86_400;

export interface ModelUsage {
  requests: number;
  failedRequests: number;
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
}

export const NO_USAGE: ModelUsage = {
  requests: 0,
  failedRequests: 0,
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
};

interface Asked {
  group_by?: "model"[];
  models?: string[];
  top?: number;
}

/** A tenant's usage of the last days; the API's page has room for all of them. */
export async function recentUsage(owner: Owner, asked: Asked, signal: AbortSignal): Promise<UsageResult[]> {
  const start_time = Math.floor(Date.now() / 1000) - (USAGE_DAYS - 1) * DAY_S;
  const query = { ...asked, start_time, bucket_width: "1d" as const, limit: 31 };
  const page = await data(
    owner === null
      ? api.GET("/v1/usage", { params: { query }, signal })
      : api.GET("/admin/v1/usage", { params: { query: { ...query, project_ids: [owner] } }, signal }),
  );
  return page.data.flatMap(({ results }) => results);
}

export const plus = (sum: ModelUsage, result: UsageResult): ModelUsage => ({
  requests: sum.requests + result.num_model_requests,
  failedRequests: sum.failedRequests + result.num_failed_requests,
  inputTokens: sum.inputTokens + result.input_tokens,
  cachedTokens: sum.cachedTokens + result.input_cached_tokens,
  outputTokens: sum.outputTokens + result.output_tokens,
});

/** By what was asked for, with zeros where nothing was used, and by each version that answered. */
export function usageOf(asked: string[], results: UsageResult[]): Map<string, ModelUsage> {
  const usage = new Map(asked.map((name) => [name, NO_USAGE]));
  for (const result of results) {
    const model = result.model ?? "";
    const adapter = model.replace(/@\d+$/, "");
    for (const name of new Set([model, adapter])) usage.set(name, plus(usage.get(name) ?? NO_USAGE, result));
  }
  return usage;
}
