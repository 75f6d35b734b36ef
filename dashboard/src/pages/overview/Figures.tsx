import type { Now } from "../../api/types";
import { millis, rate } from "../../parts/format";
import classes from "./overview.module.css";

interface Figure {
  label: string;
  value: string;
  note: string;
  alarm?: boolean;
}

/** The numbers of this second. */
export function Figures({ now, operator }: { now: Now; operator: boolean }) {
  const figures: Figure[] = [
    {
      label: "Requests/s",
      value: rate(now.requests_per_s),
      note: now.errors_per_s > 0 ? `${rate(now.errors_per_s)} errors/s` : "no errors",
      alarm: now.errors_per_s > 0,
    },
    {
      label: "Output tokens/s",
      value: rate(now.output_tokens_per_s),
      note: `${rate(now.input_tokens_per_s)} input/s`,
    },
    { label: "Time to first token", value: millis(now.ttft_ms.p50), note: `p99 ${millis(now.ttft_ms.p99)}` },
    { label: "Between tokens", value: millis(now.gap_ms.p50), note: `p99 ${millis(now.gap_ms.p99)}` },
    {
      label: "Streams running",
      value: rate(now.running),
      note: `${rate(now.waiting)} waiting`,
      alarm: now.waiting > 0,
    },
  ];
  if (operator) {
    // Null while no step was made.
    const { rows, adapters } = now.batch ?? { rows: 0, adapters: 0 };
    figures.push({
      label: "Rows a step",
      value: rate(rows),
      note: `with ${rate(adapters)} ${adapters === 1 ? "adapter" : "adapters"}`,
    });
  }
  return (
    <dl className={classes.figures}>
      {figures.map((figure) => (
        <div key={figure.label} className={classes.figure}>
          <dt>{figure.label}</dt>
          <dd className={classes.value}>{figure.value}</dd>
          <dd className={classes.note} data-alarm={figure.alarm}>
            {figure.note}
          </dd>
        </div>
      ))}
    </dl>
  );
}
