// Buckets of usage as the lines of a chart and the rows of a table.
import type { UsageBucket, UsageResult } from "../../api/types";

/** Groups with a colour of their own, and how many the server is asked to tell apart; the others are one. */
export const TOLD_APART = 7;

export const measures = [
  { value: "output", label: "Output tokens" },
  { value: "input", label: "Input tokens" },
  { value: "requests", label: "Requests" },
] as const;
export type Measure = (typeof measures)[number]["value"];

export interface Sums {
  requests: number;
  failed: number;
  input: number;
  cached: number;
  output: number;
}

export interface Grouped extends Sums {
  id: string;
  tenant: string | null;
  model: string | null;
  key: string | null;
  /** The sum of all that the server has not told apart. */
  others: boolean;
  /** The measure in each bucket. */
  values: number[];
}

const zero = (): Sums => ({ requests: 0, failed: 0, input: 0, cached: 0, output: 0 });

function add(sums: Sums, result: UsageResult) {
  sums.requests += result.num_model_requests;
  sums.failed += result.num_failed_requests;
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

/** One per group that has usage, the largest first, and the others last. */
export function group(buckets: UsageBucket[], measure: Measure): Grouped[] {
  const groups = new Map<string, Grouped>();
  buckets.forEach((bucket, index) => {
    for (const result of bucket.results) {
      const { project_id: tenant, model, api_key_id: key, others } = result;
      const id = JSON.stringify([others, tenant, model, key]);
      let found = groups.get(id);
      if (!found) {
        found = { id, tenant, model, key, others, values: buckets.map(() => 0), ...zero() };
        groups.set(id, found);
      }
      add(found, result);
      found.values[index] = (found.values[index] ?? 0) + measured(result, measure);
    }
  });
  return [...groups.values()].sort((a, b) => Number(a.others) - Number(b.others) || b[measure] - a[measure]);
}

/** Which groups have a line of their own in a chart, and which are one together. */
export function apart(groups: Grouped[]): { own: Grouped[]; rest: Grouped[] } {
  const own = groups.filter(({ others }) => !others).slice(0, TOLD_APART);
  return { own, rest: groups.slice(own.length) };
}

/** What does not fit into a chart, as one. */
export function summed(groups: Grouped[]): number[] {
  const length = groups[0]?.values.length ?? 0;
  return Array.from({ length }, (_, index) => groups.reduce((sum, one) => sum + (one.values[index] ?? 0), 0));
}
