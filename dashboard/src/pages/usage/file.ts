// Usage as a file: a line per bucket and group, all of them, however many there are.
import type { UsageBucket } from "../../api/types";
import { type Cell, CSV_TYPE, csv } from "../../parts/csv";

const HEAD = [
  "start",
  "end",
  "tenant",
  "model",
  "key_id",
  "key",
  "requests",
  "failed_requests",
  "input_tokens",
  "input_cached_tokens",
  "output_tokens",
];

const iso = (at: number) => new Date(at * 1000).toISOString();

function rowsOf(buckets: UsageBucket[], names: ReadonlyMap<string, string>): Cell[][] {
  return buckets.flatMap((bucket) =>
    bucket.results.map((result): Cell[] => [
      iso(bucket.start_time),
      iso(bucket.end_time),
      result.project_id,
      result.model,
      result.api_key_id,
      result.api_key_id === null ? null : (names.get(result.api_key_id) ?? null),
      result.num_model_requests,
      result.num_failed_requests,
      result.input_tokens,
      result.input_cached_tokens,
      result.output_tokens,
    ]),
  );
}

/** Each page becomes bytes as it comes: only one is held as objects. `onPage` hears until when the file goes. */
export async function fileOf(
  pages: AsyncIterable<UsageBucket[]>,
  names: ReadonlyMap<string, string>,
  onPage: (until: number) => void,
): Promise<Blob> {
  const pieces = [new Blob([csv([HEAD])])];
  for await (const buckets of pages) {
    pieces.push(new Blob([csv(rowsOf(buckets, names))]));
    const last = buckets.at(-1);
    if (last) onPage(last.end_time);
  }
  return new Blob(pieces, { type: CSV_TYPE });
}
