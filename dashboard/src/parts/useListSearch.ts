// A list's search and sorting, kept in the address.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

/** Of every list: what is searched, and by what it is sorted (`-name` is downwards). */
interface ListSearch {
  q?: string;
  sort?: string;
}

export function useListSearch() {
  const { q, sort }: ListSearch = useSearch({ strict: false });
  const set = useSetSearch();
  return {
    q,
    sort,
    setQ: useCallback((next: string) => set({ q: next }), [set]),
    setSort: useCallback((next: string) => set({ sort: next }), [set]),
  };
}

/** Changes parameters of the address where one is; empty ones go. Steps that are worth going back to are `pushed`. */
export function useSetSearch() {
  const navigate = useNavigate();
  return useCallback(
    (change: Record<string, string | undefined>, pushed = false) =>
      void navigate({
        to: ".",
        search: (now: Record<string, unknown>) => ({ ...now, ...change }),
        replace: !pushed,
        resetScroll: false,
      }),
    [navigate],
  );
}
