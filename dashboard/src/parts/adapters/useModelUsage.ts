// What each of the listed adapters answered lately. Only those are asked for: a tenant may have a hundred thousand.
import { useQueries, type UseQueryResult } from "@tanstack/react-query";
import type { Owner } from "../../api/adapters";
import { recentUsage, usageOf, type ModelUsage } from "./modelUsage";

/** By adapter and by `name@7`. An adapter that is not in it is still asked for; such a version answered nothing. */
export type UsageByModel = ReadonlyMap<string, ModelUsage>;

/** The API takes 100. Half of that keeps an address within what proxies take, however long the names. */
const NAMES_ASKED = 50;

/** Null while nothing is known. */
export function useModelUsage(owner: Owner, adapters: string[]): UsageByModel | null {
  return useQueries({
    queries: chunksOf(adapters).map((models) => ({
      queryKey: ["model-usage", owner, models],
      queryFn: async ({ signal }: { signal: AbortSignal }) =>
        usageOf(models, await recentUsage(owner, { group_by: ["model"], models }, signal)),
      staleTime: 30_000,
      // A long list would ask for very many at once.
      refetchOnWindowFocus: false,
    })),
    combine: merged,
  });
}

function chunksOf(names: string[]): string[][] {
  const chunks: string[][] = [];
  for (let at = 0; at < names.length; at += NAMES_ASKED) chunks.push(names.slice(at, at + NAMES_ASKED));
  return chunks;
}

function merged(queries: UseQueryResult<Map<string, ModelUsage>>[]): UsageByModel | null {
  const known = queries.flatMap(({ data }) => (data ? [...data] : []));
  return known.length > 0 ? new Map(known) : null;
}
