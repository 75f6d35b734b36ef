// Buckets of usage as the lines of a chart, the rows of a table, and of a file.
import type { UsageBucket, UsageResult } from "../../api/types";
import { type Cell, csv } from "../../parts/csv";

export const measures = [
  { value: "output", label: "Output tokens" },
  { value: "input", label: "Input tokens" },
  { value: "requests", label: "Requests" },
] as const;
export type Measure = (typeof measures)[number]["value"];

export interface Sums {
  requests: number;
  input: number;
  cached: number;
  output: number;
}

export interface Grouped extends Sums {
  id: string;
  tenant: string | null;
  model: string | null;
  key: string | null;
  /** The measure in each bucket. */
  values: number[];
}

const zero = (): Sums => ({ requests: 0, input: 0, cached: 0, output: 0 });

function add(sums: Sums, result: UsageResult) {
  sums.requests += result.num_model_requests;
  sums.input += result.input_tokens;
  sums.cached += result.input_cached_tokens;
  sums.output += result.output_tokens;
}

const measured = (result: UsageResult, measure: Measure) =>
  ({ requests: result.num_model_requests, input: result.input_tokens, output: result.output_tokens })[
    measure
  ];

export function total(buckets: UsageBucket[]): Sums {
  const sums = zero();
  for (const bucket of buckets) for (const result of bucket.results) add(sums, result);
  return sums;
}

/** One per group that has usage, the largest first. */
export function group(buckets: UsageBucket[], measure: Measure): Grouped[] {
  const groups = new Map<string, Grouped>();
  buckets.forEach((bucket, index) => {
    for (const result of bucket.results) {
      const { project_id: tenant, model, api_key_id: key } = result;
      const id = JSON.stringify([tenant, model, key]);
      let found = groups.get(id);
      if (!found) {
        found = { id, tenant, model, key, values: buckets.map(() => 0), ...zero() };
        groups.set(id, found);
      }
      add(found, result);
      found.values[index] = (found.values[index] ?? 0) + measured(result, measure);
    }
  });
  return [...groups.values()].sort((a, b) => b[measure] - a[measure]);
}

/** What does not fit into a chart, as one. */
export function summed(groups: Grouped[]): number[] {
  const length = groups[0]?.values.length ?? 0;
  return Array.from({ length }, (_, index) => groups.reduce((sum, one) => sum + (one.values[index] ?? 0), 0));
}

const iso = (at: number) => new Date(at * 1000).toISOString();

/** A line per bucket and group. */
export function fileOf(buckets: UsageBucket[], names: ReadonlyMap<string, string>): string {
  const head = [
    "start",
    "end",
    "tenant",
    "model",
    "key_id",
    "key",
    "requests",
    "input_tokens",
    "input_cached_tokens",
    "output_tokens",
  ];
  const rows = buckets.flatMap((bucket) =>
    bucket.results.map((result): Cell[] => [
      iso(bucket.start_time),
      iso(bucket.end_time),
      result.project_id ?? null,
      result.model ?? null,
      result.api_key_id ?? null,
      result.api_key_id ? (names.get(result.api_key_id) ?? null) : null,
      result.num_model_requests,
      result.input_tokens,
      result.input_cached_tokens,
      result.output_tokens,
    ]),
  );
  return csv(head, rows);
}
