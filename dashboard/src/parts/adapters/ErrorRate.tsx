import { count, percent } from "../format";
import type { ModelUsage } from "./modelUsage";

/** From here on it is worth a look. */
const ALARMING = 0.01;

/** How many of the requests failed; nothing where there were none. */
export function ErrorRate({ of }: { of: Pick<ModelUsage, "requests" | "failedRequests"> | undefined }) {
  if (!of || of.requests === 0) return <span>–</span>;
  const { requests, failedRequests } = of;
  return (
    <span
      title={`${count(failedRequests)} of ${count(requests)} requests failed`}
      style={failedRequests / requests >= ALARMING ? { color: "var(--alarm)" } : undefined}
    >
      {percent(failedRequests, requests)}
    </span>
  );
}

/** For sorting: what has no requests has no rate. */
export const errorRate = (of: ModelUsage | undefined) =>
  of && of.requests > 0 ? of.failedRequests / of.requests : null;
