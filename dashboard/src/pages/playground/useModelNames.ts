// The names to choose from while one is typed. A tenant may have very many adapters: only those that fit are asked for.
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { adapterPage } from "../../api/adapters";
import { api, data } from "../../api/client";
import { useSession } from "../../api/session";

const SHOWN = 20;

/** Names that begin with `typed`. What comes after an `@` can be typed, and is not offered. */
export function useModelNames(typed: string): { names: string[] } {
  const { session, can } = useSession();
  const [prefix] = useDebouncedValue(typed.trim().toLowerCase().replace(/@.*/, ""), 150);
  const base = session.base_model;
  const { data: names } = useQuery({
    queryKey: ["models", prefix],
    queryFn: () => (can("adapters:read") ? adapters(prefix, base) : all(prefix)),
    enabled: can("adapters:read") || can("models:read"),
    placeholderData: keepPreviousData,
  });
  return { names: names ?? [] };
}

async function adapters(prefix: string, base: string): Promise<string[]> {
  const page = await adapterPage(null, prefix, { limit: SHOWN });
  return [base, ...page.data.map(({ name }) => name)].filter((name) => name.startsWith(prefix));
}

/** For a key that may not list adapters: the models come whole. */
async function all(prefix: string): Promise<string[]> {
  const models = await data(api.GET("/v1/models"));
  const names = models.data.map(({ id }) => id).filter((name) => name.startsWith(prefix));
  return names.slice(0, SHOWN);
}
