import { useMemo } from "react";
import type { Point } from "../../api/types";
import { Chart, type Series } from "../../parts/Chart";
import { bad, colour } from "../../parts/colours";
import { millis, rate } from "../../parts/format";
import { Panel } from "../../parts/Panel";
import classes from "./overview.module.css";

type Take = (point: Point) => number | null;
interface Drawn {
  title: string;
  write: (value: number) => string;
  lines: { label: string; colour: string; take: Take; dashed?: boolean }[];
}

const per = (take: (point: Point) => number): Take => {
  return (point) => take(point) / point.seconds;
};

const charts: Drawn[] = [
  {
    title: "Requests/s",
    write: rate,
    lines: [
      { label: "Requests", colour: colour(0), take: per((point) => point.requests) },
      { label: "Errors", colour: bad, take: per((point) => point.errors) },
    ],
  },
  {
    title: "Tokens/s",
    write: rate,
    lines: [
      { label: "Output", colour: colour(0), take: per((point) => point.output_tokens) },
      { label: "Input", colour: colour(1), take: per((point) => point.input_tokens) },
    ],
  },
  {
    title: "Streams",
    write: rate,
    lines: [
      { label: "Running", colour: colour(0), take: (point) => point.running },
      { label: "Waiting", colour: colour(2), take: (point) => point.waiting },
    ],
  },
  {
    title: "Time to first token",
    write: millis,
    lines: [
      { label: "p50", colour: colour(0), take: (point) => point.ttft_ms.p50 },
      { label: "p99", colour: colour(2), take: (point) => point.ttft_ms.p99 },
    ],
  },
  {
    title: "Between tokens",
    write: millis,
    lines: [
      { label: "p50", colour: colour(0), take: (point) => point.gap_ms.p50 },
      { label: "p99", colour: colour(2), take: (point) => point.gap_ms.p99 },
    ],
  },
  {
    title: "Failed requests",
    write: (value) => `${value.toFixed(value < 10 && value > 0 ? 1 : 0)}%`,
    lines: [
      {
        label: "Errors of all requests",
        colour: bad,
        take: (point) => (point.requests === 0 ? null : (point.errors / point.requests) * 100),
      },
    ],
  },
];

/** The last hour. */
export function Charts({ points }: { points: Point[] }) {
  const at = useMemo(() => points.map((point) => point.at), [points]);
  const drawn = useMemo(
    () =>
      charts.map(({ title, write, lines }) => ({
        title,
        write,
        series: lines.map(({ take, ...line }): Series => ({ ...line, values: points.map(take) })),
      })),
    [points],
  );
  return (
    <div className={classes.charts}>
      {drawn.map((chart) => (
        <Panel key={chart.title}>
          <Chart {...chart} at={at} together="overview" span={3600} />
        </Panel>
      ))}
    </div>
  );
}
