// A tenant's usage of the last days: in all, and by the models that used the most.
import { useQuery } from "@tanstack/react-query";
import { type ModelUsage, NO_USAGE, plus, recentUsage } from "../../parts/adapters/modelUsage";

/** The most that the API tells apart at once. */
export const MODELS_SHOWN = 100;

export function useTotal(slug: string) {
  return useQuery({
    queryKey: ["tenant-usage", slug],
    queryFn: async ({ signal }) => (await recentUsage(slug, {}, signal)).reduce(plus, NO_USAGE),
    staleTime: 30_000,
  });
}

/** `model` is null for all others together. */
export interface UsedModel extends ModelUsage {
  model: string | null;
}

export function useTopModels(slug: string) {
  return useQuery({
    queryKey: ["tenant-usage", slug, "models"],
    queryFn: async ({ signal }): Promise<UsedModel[]> => {
      const sums = new Map<string | null, ModelUsage>();
      for (const result of await recentUsage(slug, { group_by: ["model"], top: MODELS_SHOWN }, signal))
        sums.set(result.model, plus(sums.get(result.model) ?? NO_USAGE, result));
      return [...sums].map(([model, usage]) => ({ model, ...usage }));
    },
    staleTime: 30_000,
  });
}
