// Pages of a list, one after the other, in the API's shape: `after` is the last page's `last_id`.
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

interface Page<Row> {
  data: Row[];
  last_id?: string | null;
  has_more: boolean;
}

/** Rows of all pages that were asked for, and `more` for a `DataTable`. */
export function usePages<Row>(
  key: readonly unknown[],
  page: (after: string | undefined, signal: AbortSignal) => Promise<Page<Row>>,
  enabled = true,
) {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => page(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => (last.has_more ? (last.last_id ?? undefined) : undefined),
    placeholderData: keepPreviousData,
    enabled,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((one) => one.data), [query.data]);
  const more = useMemo(
    () => ({
      has: query.hasNextPage,
      loading: query.isFetchingNextPage,
      load: () => void query.fetchNextPage(),
    }),
    [query],
  );
  return { query, rows, more };
}
