// Adapters of the caller's tenant, or of any tenant as an operator sees them: the same shapes below two roots.
import { request } from "./client";
import type { Adapter, AdapterVersion, Alias, Report } from "./types";

/** A tenant's slug, for an operator; null for the caller's own. */
export type Owner = string | null;

export interface Page<Row> {
  data: Row[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

export interface PageAsked {
  after?: string | undefined;
  limit?: number;
}

export const ADAPTER_ORDERS = ["name", "-name", "created_at", "-created_at"] as const;

export interface AdaptersAsked extends PageAsked {
  /** Only those whose name holds it. */
  q?: string;
  order?: (typeof ADAPTER_ORDERS)[number];
}

const PAGE_ROWS = 100;

async function page<Row>(
  owner: Owner,
  path: string[],
  asked: AdaptersAsked,
  signal?: AbortSignal,
): Promise<Page<Row>> {
  const root = owner === null ? ["v1"] : ["admin", "v1", "tenants", owner];
  const query = new URLSearchParams({ limit: String(asked.limit ?? PAGE_ROWS) });
  if (asked.after !== undefined) query.set("after", asked.after);
  if (asked.q) query.set("q", asked.q);
  if (asked.order) query.set("order", asked.order);
  const address = `/${[...root, ...path].map(encodeURIComponent).join("/")}?${query}`;
  const answer = await request(address, signal ? { signal } : {});
  return (await answer.json()) as Page<Row>;
}

/** Searched and sorted by the server: there may be a hundred thousand. */
export const adapterPage = (owner: Owner, asked: AdaptersAsked, signal?: AbortSignal) =>
  page<Adapter>(owner, ["adapters"], asked, signal);

export const versionPage = (owner: Owner, name: string, asked: PageAsked, signal?: AbortSignal) =>
  page<AdapterVersion>(owner, ["adapters", name, "versions"], asked, signal);

/** An adapter has few aliases; they come whole. */
export async function aliasesOf(owner: Owner, name: string, signal?: AbortSignal): Promise<Alias[]> {
  const root = owner === null ? "/v1" : `/admin/v1/tenants/${encodeURIComponent(owner)}`;
  const address = `${root}/adapters/${encodeURIComponent(name)}/aliases`;
  const answer = await request(address, signal ? { signal } : {});
  return ((await answer.json()) as Page<Alias>).data;
}

/** A version's report; an older server's may lack what came later. */
export const reportOf = (version: { report?: unknown }) => (version.report ?? null) as Report | null;
