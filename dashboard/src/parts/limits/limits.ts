// What may be limited, in words, and how what is typed becomes what the server takes.
import type { components } from "../../api/schema";
import type { Limits } from "../../api/types";
import { bytes, count } from "../format";

export type LimitOverrides = components["schemas"]["LimitOverridesSchema"];
export type LimitName = keyof LimitOverrides;

interface Limit {
  name: LimitName;
  label: string;
  means: string;
  /** Bytes are typed and shown with a unit. */
  bytes?: true;
}

/** Of requests: a tenant and a key may have them. */
export const REQUEST_LIMITS: readonly Limit[] = [
  {
    name: "requests_per_minute",
    label: "Requests per minute",
    means: "Generations in any minute. Beyond it: 429, try again later.",
  },
  {
    name: "tokens_per_minute",
    label: "Tokens per minute",
    means: "Prompt and answer tokens in any minute; max_tokens is what a request reserves.",
  },
  {
    name: "concurrent_requests",
    label: "Requests at the same time",
    means: "Generations that run or wait at once.",
  },
  {
    name: "monthly_tokens",
    label: "Tokens per month",
    means: "In a calendar month, UTC. When they are spent, requests are refused until the next.",
  },
];

/** Of adapters: a tenant's only. */
export const ADAPTER_LIMITS: readonly Limit[] = [
  {
    name: "adapters",
    label: "Adapters",
    means: "How many it may have. Uploads beyond it are refused; nothing is deleted.",
  },
  {
    name: "adapter_bytes",
    label: "Bytes of adapters",
    means: "Of all versions and unfinished uploads together.",
    bytes: true,
  },
  { name: "adapter_rank", label: "Adapter rank", means: "The largest rank that an upload may have." },
];

export const ALL_LIMITS = [...REQUEST_LIMITS, ...ADAPTER_LIMITS];

/** One limit while it is edited. */
export interface Draft {
  kind: "default" | "number" | "unlimited";
  text: string;
}
export type Drafts = Partial<Record<LimitName, Draft>>;

const UNITS: Record<string, number> = { "": 1, b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 };

export function draftsOf(limits: LimitOverrides): Drafts {
  const drafts: Drafts = {};
  for (const { name, bytes: unit } of ALL_LIMITS) {
    const cap = limits[name];
    if (cap === undefined || cap === null) continue;
    drafts[name] =
      cap === "unlimited"
        ? { kind: "unlimited", text: "" }
        : { kind: "number", text: unit ? exactBytes(Number(cap)) : String(cap) };
  }
  return drafts;
}

/** The overrides, or which draft is no limit. */
export function limitsOf(drafts: Drafts): { limits: LimitOverrides } | { wrong: LimitName } {
  const limits: LimitOverrides = {};
  for (const limit of ALL_LIMITS) {
    const draft = drafts[limit.name];
    if (!draft || draft.kind === "default") continue;
    const value = draft.kind === "unlimited" ? "unlimited" : valueOf(limit, draft.text);
    if (value === null) return { wrong: limit.name };
    limits[limit.name] = value;
  }
  return { limits };
}

/** What is wrong with the text, or null. */
export function fault(limit: Limit, draft: Draft): string | null {
  if (draft.kind !== "number" || valueOf(limit, draft.text) !== null) return null;
  return limit.bytes ? "A whole number with a unit, such as 512 MiB or 10 GiB" : "A whole number from 0 on";
}

function valueOf({ bytes: unit }: Limit, text: string): number | null {
  const found = /^([\d,_ ]*\d(?:\.\d+)?)\s*([kmgt]?i?b)?$/i.exec(text.trim());
  if (!found) return null;
  const factor = UNITS[(found[2] ?? "").toLowerCase()];
  if (factor === undefined || (!unit && found[2])) return null;
  const value = Number((found[1] ?? "").replace(/[,_ ]/g, "")) * factor;
  return Number.isSafeInteger(value) ? value : null;
}

/** As bytes are typed again without loss: in the largest unit that divides them. */
function exactBytes(value: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"]) {
    const factor = UNITS[unit.toLowerCase()] ?? 1;
    if (value > 0 && value % factor === 0) return `${value / factor} ${unit}`;
  }
  return `${value} B`;
}

/** For reading. */
export function capText(limit: Limit, cap: number | string | null | undefined): string {
  if (cap === undefined || cap === null) return "Server default";
  if (cap === "unlimited") return "Unlimited";
  return limit.bytes ? bytes(Number(cap)) : count(Number(cap));
}

/** What holds where a tenant has no limit of its own, as far as it is known. */
export function defaultText(limit: Limit, defaults: Limits | undefined): string {
  if (!defaults) return "Server default";
  const cap = defaults[limit.name];
  return `Server default: ${cap === null ? "unlimited" : capText(limit, cap)}`;
}
