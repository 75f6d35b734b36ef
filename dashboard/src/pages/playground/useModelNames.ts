// The names to choose from while one is typed. A tenant may have very many adapters: only those that fit are asked for.
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { adapterPage } from "../../api/adapters";
import { api, data } from "../../api/client";
import { useSession } from "../../api/session";

const SHOWN = 20;

/** Names that hold `typed`. What comes after an `@` can be typed, and is not offered. */
export function useModelNames(typed: string): { names: string[] } {
  const { session, can } = useSession();
  const [q] = useDebouncedValue(typed.trim().toLowerCase().replace(/@.*/, ""), 150);
  const base = session.base_model;
  const { data: names } = useQuery({
    queryKey: ["models", q],
    queryFn: async () => {
      const found = can("adapters:read") ? [base, ...(await adapters(q))] : await models();
      return found.filter((name) => name.toLowerCase().includes(q)).slice(0, SHOWN);
    },
    enabled: can("adapters:read") || can("models:read"),
    placeholderData: keepPreviousData,
  });
  return { names: names ?? [] };
}

const adapters = async (q: string) =>
  (await adapterPage(null, { q, limit: SHOWN })).data.map(({ name }) => name);

/** For a key that may not list adapters: the models come whole. */
const models = async () => (await data(api.GET("/v1/models"))).data.map(({ id }) => id);
