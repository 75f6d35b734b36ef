// A line or bar chart over time, drawn by uPlot: small, and quick enough to be redrawn each second.
import "uplot/dist/uPlot.min.css";
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useId, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import classes from "./Chart.module.css";
import { optionsOf, whenOf } from "./chartOptions";

export interface Series {
  label: string;
  colour: string;
  values: (number | null)[];
  /** Drawn dashed: for what accompanies another line. */
  dashed?: boolean;
}

interface Props {
  title: string;
  /** Unix seconds, rising. */
  at: number[];
  series: Series[];
  /** How a value is written. */
  write: (value: number) => string;
  height?: number;
  /** Bars of this many seconds, one upon the other. */
  bars?: number;
  /** How many seconds are shown up to the last one, also when less is known. */
  span?: number;
  /** Charts with the same name show the same moment under the pointer. */
  together?: string;
}

export function Chart({ title, at, series, write, height = 150, bars, span, together }: Props) {
  const scheme = useComputedColorScheme("light", { getInitialValueInEffect: false });
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const [under, setUnder] = useState<number | null>(null);
  const heading = useId();
  const data = useMemo(() => (bars ? stacked(at, series) : plain(at, series)), [at, series, bars]);
  // The chart is made anew when its lines change, and only fed when their values do.
  const lines = series.map((one) => `${one.label}\n${one.colour}\n${one.dashed ?? false}`).join("\t");
  const latest = useRef({ data, write });
  useEffect(() => {
    latest.current = { data, write };
    plot.current?.setData(data);
  }, [data, write]);

  useEffect(() => {
    if (!host.current) return;
    const element = host.current;
    const made = new uPlot(
      optionsOf({
        width: element.clientWidth,
        height,
        dark: scheme === "dark",
        lines: lines.split("\t").map((line) => {
          const [label = "", colour = "", dashed] = line.split("\n");
          return { label, colour, dashed: dashed === "true" };
        }),
        bars,
        span,
        together,
        write: (value) => latest.current.write(value),
        pointed: setUnder,
      }),
      latest.current.data,
      element,
    );
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [lines, height, scheme, bars, span, together]);

  const index = under !== null && under < at.length ? under : at.length - 1;
  const when = at[index];
  return (
    <figure className={classes.figure} aria-labelledby={heading}>
      <figcaption className={classes.caption} id={heading}>
        <span className={classes.title}>{title}</span>
        <span className={classes.when}>{under !== null && when !== undefined ? whenOf(when, bars) : ""}</span>
      </figcaption>
      <div ref={host} className={classes.plot} style={{ height }} aria-hidden="true" />
      <ul className={classes.legend}>
        {series.map((one) => {
          const value = one.values[index];
          return (
            <li key={one.label}>
              <i style={{ background: one.colour }} data-dashed={one.dashed} />
              {one.label}
              <b>{value === null || value === undefined ? "–" : write(value)}</b>
            </li>
          );
        })}
      </ul>
    </figure>
  );
}

const plain = (at: number[], series: Series[]): uPlot.AlignedData => [at, ...series.map((one) => one.values)];

/** Each series upon the ones before it, the highest first, so that lower ones are drawn over it. */
function stacked(at: number[], series: Series[]): uPlot.AlignedData {
  const sum = at.map(() => 0);
  const layers = series.map((one) =>
    one.values.map((value, index) => (sum[index] = (sum[index] ?? 0) + (value ?? 0))),
  );
  return [at, ...layers.reverse()];
}
