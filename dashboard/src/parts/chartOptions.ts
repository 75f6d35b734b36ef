// How charts look: thin lines, few rules, room for the numbers.
import uPlot from "uplot";

interface Line {
  label: string;
  colour: string;
  dashed: boolean;
}

export interface Look {
  width: number;
  height: number;
  dark: boolean;
  lines: Line[];
  bars: number | undefined;
  span: number | undefined;
  together: string | undefined;
  write: (value: number) => string;
  /** The index under the pointer, or null. */
  pointed: (index: number | null) => void;
}

const font = "11px system-ui, sans-serif";
const dayLong = 86_400;

/** Bars of days are UTC's days, whatever the viewer's zone: so are their names. */
const zoneOf = (bars: number | undefined) => (bars === dayLong ? { timeZone: "UTC" } : {});

/** The moment under the pointer. */
export const whenOf = (at: number, bars: number | undefined) =>
  new Date(at * 1000).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    ...(bars === dayLong ? { year: "numeric" } : { hour: "2-digit", minute: "2-digit" }),
    ...zoneOf(bars),
  });

/** Names of an axis' moments: hours within a day, days beyond. */
function timesOf(bars: number | undefined) {
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", ...zoneOf(bars) });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", ...zoneOf(bars) });
  return (_: uPlot, splits: number[]) =>
    splits.map((at) => {
      const time = clock.format(at * 1000);
      return time === "00:00" ? day.format(at * 1000) : bars === dayLong ? "" : time;
    });
}

export function optionsOf(look: Look): uPlot.Options {
  const ink = look.dark ? "#a6adbb" : "#5a6270";
  const rule = look.dark ? "#262b35" : "#eceef2";
  const axis = { stroke: ink, font, ticks: { show: false }, grid: { stroke: rule, width: 1 } };
  const lines = look.bars ? [...look.lines].reverse() : look.lines;
  return {
    width: look.width,
    height: look.height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    ...(look.bars === dayLong && { tzDate: (at: number) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC") }),
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 6 },
      ...(look.together && { sync: { key: look.together } }),
    },
    scales: {
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 10] },
      ...(look.bars && { x: barRange(look.bars) }),
      ...(look.span && { x: spanRange(look.span) }),
    },
    axes: [
      { ...axis, size: 24, values: timesOf(look.bars), grid: { show: false }, space: 64 },
      { ...axis, size: 56, gap: 6, space: 28, values: (_, splits) => splits.map(look.write) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: line.colour,
        width: look.bars ? 0 : 1.5,
        dash: line.dashed ? [4, 3] : [],
        points: look.bars ? { show: false } : { show: false, size: 4, filter: alone },
        ...(look.bars && { fill: line.colour, paths: barPaths() }),
      })),
    ],
    hooks: { setCursor: [(plot) => look.pointed(plot.cursor.idx ?? null)] },
  };
}

/** A value between two gaps is no line, and would not be seen: it is drawn as a point. */
function alone(plot: uPlot, line: number): number[] | null {
  const values: (number | null | undefined)[] = Array.from(plot.data[line] ?? []);
  const empty = (index: number) => values[index] === null || values[index] === undefined;
  const found = values.flatMap((_, index) =>
    !empty(index) && empty(index - 1) && empty(index + 1) ? [index] : [],
  );
  return found.length > 0 ? found : null;
}

/** A bar stands for the time after its start: half a bar of room at both ends. */
const barRange = (seconds: number) => ({
  range: (_: uPlot, from: number, until: number): [number, number] => [
    from - seconds * 0.6,
    until + seconds * 0.6,
  ],
});

const spanRange = (seconds: number) => ({
  range: (_: uPlot, __: number, until: number): [number, number] => [until - seconds, until],
});

function barPaths() {
  const make = uPlot.paths.bars;
  if (!make) throw new Error("uPlot was built without bars");
  return make({ size: [0.72, 48], radius: 0 });
}
