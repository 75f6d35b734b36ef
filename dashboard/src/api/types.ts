// Short names for the API's types, and those of the browser's own routes.
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Tenant = Schemas["Tenant"];
export type Key = Schemas["Key"];
export type CreatedKey = Schemas["CreatedKey"];
export type NewKey = Schemas["NewKey"];
export type Adapter = Schemas["Adapter"];
export type AdapterVersion = Schemas["AdapterVersion"];
export type Alias = Schemas["Alias"];
export type AliasDetail = Schemas["AliasDetail"];
export type Push = Schemas["Push"];
export type AuditEvent = Schemas["AuditEvent"];
export type UsageBucket = Schemas["UsageBucket"];
export type UsageResult = Schemas["UsageResult"];

export type Scope = "chat" | "models:read" | "adapters:read" | "adapters:write" | "usage:read" | "keys:write";
export type Role = "admin" | "viewer" | "tenant";

export interface Session {
  object: "session";
  role: Role;
  csrf: string;
  expires_at: number;
  tenant: { slug: string; name: string } | null;
  scopes: Scope[];
  key: { id: string; name: string } | null;
  base_model: string;
}

export interface Quantiles {
  p50: number | null;
  p99: number | null;
}

/** Ten seconds of the last hour. */
export interface Point {
  at: number;
  seconds: number;
  requests: number;
  errors: number;
  input_tokens: number;
  output_tokens: number;
  ttft_ms: Quantiles;
  gap_ms: Quantiles;
  running: number;
  waiting: number;
}

export interface Resident {
  tenant: string;
  adapter: string;
  version: number;
  digest: string;
  bytes: number;
  in_use: boolean;
}

export interface BusyTenant {
  slug: string;
  requests_per_s: number;
  output_tokens_per_s: number;
  running: number;
  waiting: number;
}

/** This second. What would tell a tenant about others is null for it. */
export interface Now {
  at: number;
  requests_per_s: number;
  errors_per_s: number;
  input_tokens_per_s: number;
  output_tokens_per_s: number;
  ttft_ms: Quantiles;
  gap_ms: Quantiles;
  running: number;
  waiting: number;
  batch: { rows: number; adapters: number } | null;
  kv: { blocks: number; used: number | null; block_tokens: number };
  adapters: {
    bytes: number | null;
    limit_bytes: number | null;
    loading: number;
    waiting: number;
    resident: Resident[];
  };
  tenants: BusyTenant[];
  ready: { status: string; checks: Record<string, string> };
}

/** What the checks of an upload found, as far as they came. */
export interface Report {
  rank: number;
  ranks: number[];
  alpha: number;
  scales: number[];
  rank_stabilised: boolean;
  modules: string[];
  layers: number[];
  tensors: number;
  parameters: number;
  bytes: number;
  dtype: string;
  norms: { module: string; largest_a: number; largest_b: number; norm: number }[];
  base_model: string | null;
  checks: string[];
  warnings: { code: string; message: string }[];
  check_ms?: number;
  canary?: { effect: number; load_ms: number; run_ms: number; resident_bytes: number };
}
