// Which stretch of time is shown, from what the address says.

export const ranges = [
  { value: "24h", label: "24 hours", seconds: 86_400 },
  { value: "7d", label: "7 days", seconds: 7 * 86_400 },
  { value: "30d", label: "30 days", seconds: 30 * 86_400 },
  { value: "90d", label: "90 days", seconds: 90 * 86_400 },
] as const;

export const widths = { "1h": 3600, "1d": 86_400 } as const;
export type Width = keyof typeof widths;

/** More bars than this are a smear. */
const mostHours = 31 * 24;

export interface Period {
  range: string;
  start: number;
  /** Left out: until now. */
  end: number | undefined;
  width: Width;
  /** Whether hours may be chosen. */
  hours: boolean;
}

interface Asked {
  range?: string;
  from?: string;
  until?: string;
  width?: string;
}

const dayOf = (text: string | undefined) => {
  const at = text && /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  return Number.isNaN(at) ? undefined : at / 1000;
};

/** Days are UTC's, as the server's buckets are; `until` is the last day shown. */
export function periodOf(asked: Asked, now: number): Period {
  const from = dayOf(asked.from);
  if (asked.range === "days" && from !== undefined) {
    const last = dayOf(asked.until);
    const end = last === undefined || last < from ? undefined : last + 86_400;
    const hours = ((end ?? now) - from) / 3600 <= mostHours;
    return { range: "days", start: from, end, width: asked.width === "1h" && hours ? "1h" : "1d", hours };
  }
  const range = ranges.find((one) => one.value === asked.range) ?? ranges[1];
  const hours = range.seconds / 3600 <= mostHours;
  const usual = range.value === "24h" ? "1h" : "1d";
  const width = (asked.width === "1h" && hours) || asked.width === "1d" ? asked.width : usual;
  const step = widths[width];
  return {
    range: range.value,
    start: Math.floor(now / step) * step - range.seconds + step,
    end: undefined,
    width,
    hours,
  };
}

export const dateOf = (at: number) => new Date(at * 1000).toISOString().slice(0, 10);
