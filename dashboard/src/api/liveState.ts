// What is known of the live numbers: the last hour in steps, and this second.
import type { Now, Point } from "./types";

export interface Live {
  status: "connecting" | "live" | "reconnecting";
  points: Point[];
  now: Now | null;
}

export type LiveEvent = { kind: "history"; points: Point[] } | { kind: "now"; now: Now } | { kind: "lost" };

export const nothing: Live = { status: "connecting", points: [], now: null };

const step = 10;
const kept = 360;

export function reduce(live: Live, event: LiveEvent): Live {
  switch (event.kind) {
    case "history":
      return { ...live, status: "live", points: event.points.slice(-kept) };
    case "now":
      return { status: "live", now: event.now, points: grown(live.points, event.now) };
    case "lost":
      return { ...live, status: "reconnecting" };
  }
}

/** The history is sent once: from then on, every ten seconds' `now` becomes the next step. */
function grown(points: Point[], now: Now): Point[] {
  const last = points.at(-1);
  if (last && now.at < last.at + 2 * step) return points;
  const point: Point = {
    at: now.at - (now.at % step) - step,
    seconds: step,
    requests: now.requests_per_s * step,
    errors: now.errors_per_s * step,
    input_tokens: now.input_tokens_per_s * step,
    output_tokens: now.output_tokens_per_s * step,
    ttft_ms: now.ttft_ms,
    gap_ms: now.gap_ms,
    running: now.running,
    waiting: now.waiting,
  };
  return [...points, point].slice(-kept);
}
