// Numbers and times as people read them.
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
// Not en-GB, whose million is a small m, as a metre's thousandth is.
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** 12,345 */
export const count = (value: number) => whole.format(value);

/** 12.3k, 4M */
export const compact = (value: number) =>
  Math.abs(value) < 10_000 ? count(value) : short.format(value).replace("K", "k");

/** 0.4, 12.3, 1,234: as many digits as tell something. */
export function rate(value: number): string {
  if (Number.isInteger(value)) return compact(value);
  if (Math.abs(value) < 10) return value.toFixed(value < 0.1 ? 2 : 1);
  return compact(Math.round(value));
}

/** 0.8 ms, 120 ms, 1.24 s */
export function millis(value: number | null): string {
  if (value === null) return "–";
  if (value === 0) return "0 ms";
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(value: number): string {
  let unit = 0;
  let rest = value;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${units[unit] ?? ""}`;
}

/** 42%, and not 0% for what is there. */
export function percent(part: number, of: number): string {
  if (of === 0 || part === 0) return "0%";
  return part / of < 0.01 ? "<1%" : `${Math.round((part / of) * 100)}%`;
}

/** 26 Nov 2026, 05:35 in the viewer's zone; the server's Unix seconds. */
export const localTime = (at: number) =>
  new Date(at * 1000).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });

export const utcTime = (at: number) =>
  new Date(at * 1000).toISOString().replace("T", " ").replace(".000Z", " UTC");

const steps: [number, Intl.RelativeTimeFormatUnit][] = [
  [31_536_000, "year"],
  [2_592_000, "month"],
  [86_400, "day"],
  [3600, "hour"],
  [60, "minute"],
];
const relative = new Intl.RelativeTimeFormat("en-GB", { numeric: "auto" });

/** 3 hours ago, in 2 days */
export function ago(at: number, now: number): string {
  const away = at - now;
  for (const [seconds, unit] of steps) {
    if (Math.abs(away) >= seconds) return relative.format(Math.round(away / seconds), unit);
  }
  return away > 0 ? "in a moment" : "just now";
}

/** A key as its list names it: ids begin with the time, so the end tells keys of one hour apart. */
export const keyLabel = (id: string) => `tk_${id.slice(0, 8)}…${id.slice(-4)}`;
