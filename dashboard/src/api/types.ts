// Short names for the API's types.
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
export type UsagePage = Schemas["UsagePage"];
export type UsageBucket = Schemas["UsageBucket"];
export type UsageResult = Schemas["UsageResult"];
export type Limits = Schemas["Limits"];
export type EngineServer = Schemas["EngineServer"];

export type Scope = "chat" | "models:read" | "adapters:read" | "adapters:write" | "usage:read" | "keys:write";
export type Role = "admin" | "viewer" | "tenant";

/** The document leaves role and scopes as texts. */
export type Session = Omit<Schemas["Session"], "role" | "scopes"> & { role: Role; scopes: Scope[] };

/** This second. What would tell a tenant about others is null for it. */
export type Now = Schemas["Now"];
/** Ten seconds of the last hour. */
export type Point = Schemas["Point"];
export type Resident = Schemas["ResidentAdapter"];
export type BusyTenant = Schemas["TenantNow"];

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
