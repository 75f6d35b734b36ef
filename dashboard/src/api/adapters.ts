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

const PAGE_ROWS = 100;

async function page<Row>(
  owner: Owner,
  path: string[],
  asked: PageAsked,
  signal?: AbortSignal,
): Promise<Page<Row>> {
  const root = owner === null ? ["v1"] : ["admin", "v1", "tenants", owner];
  const query = new URLSearchParams({ limit: String(asked.limit ?? PAGE_ROWS) });
  if (asked.after !== undefined) query.set("after", asked.after);
  const address = `/${[...root, ...path].map(encodeURIComponent).join("/")}?${query}`;
  const answer = await request(address, signal ? { signal } : {});
  return (await answer.json()) as Page<Row>;
}

/** By name; with a prefix those that begin with it, which the server's order makes a range of its list. */
export async function adapterPage(owner: Owner, prefix: string, asked: PageAsked, signal?: AbortSignal) {
  // What cannot be in a name begins none.
  if (!/^([a-z0-9][a-z0-9._-]{0,63})?$/.test(prefix)) return { data: [], last_id: null, has_more: false };
  const after = asked.after ?? (prefix === "" ? undefined : nameBefore(prefix));
  const found = await page<Adapter>(owner, ["adapters"], { ...asked, after }, signal);
  const data = found.data.filter(({ name }) => name.startsWith(prefix));
  return { data, last_id: found.last_id, has_more: found.has_more && data.length === found.data.length };
}

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

/** Names in the server's order, which is that of their bytes. */
const ALPHABET = "-.0123456789_abcdefghijklmnopqrstuvwxyz";
const FIRST = "0123456789abcdefghijklmnopqrstuvwxyz";
const LONGEST_NAME = 64;

/** The last name that can stand before all names that begin with `prefix`; undefined when none can. */
export function nameBefore(prefix: string): string | undefined {
  const head = prefix.slice(0, -1);
  const letters = head === "" ? FIRST : ALPHABET;
  const place = letters.indexOf(prefix.slice(-1));
  if (place <= 0) return head === "" ? undefined : head;
  return (head + letters.charAt(place - 1)).padEnd(LONGEST_NAME, "z");
}
