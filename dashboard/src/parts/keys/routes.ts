// Keys are looked after in two places: an operator does it for a tenant, and a tenant for itself. The shapes are the same.
import { adapterPage, type Owner } from "../../api/adapters";
import { api, data } from "../../api/client";
import type { CreatedKey, Key, NewKey, Scope } from "../../api/types";

export interface KeyRoutes {
  queryKey: readonly string[];
  list: () => Promise<Key[]>;
  create: (body: NewKey) => Promise<CreatedKey>;
  rotate: (id: string, graceS: number) => Promise<CreatedKey>;
  revoke: (id: string) => Promise<unknown>;
  /** Names of adapters to choose from: the first that hold `q`. */
  adapters: (q: string) => Promise<string[]>;
}

const SHOWN_NAMES = 20;

const adapterNames = (owner: Owner) => async (q: string) =>
  (await adapterPage(owner, { q, limit: SHOWN_NAMES })).data.map(({ name }) => name);

export function keysOfTenant(slug: string): KeyRoutes {
  const path = { slug };
  return {
    queryKey: ["keys", slug],
    list: async () => (await data(api.GET("/admin/v1/tenants/{slug}/keys", { params: { path } }))).data,
    create: (body) => data(api.POST("/admin/v1/tenants/{slug}/keys", { params: { path }, body })),
    rotate: (id, grace_s) =>
      data(
        api.POST("/admin/v1/tenants/{slug}/keys/{id}/rotate", {
          params: { path: { slug, id } },
          body: { grace_s },
        }),
      ),
    revoke: (id) =>
      data(api.DELETE("/admin/v1/tenants/{slug}/keys/{id}", { params: { path: { slug, id } } })),
    adapters: adapterNames(slug),
  };
}

export const ownKeys: KeyRoutes = {
  queryKey: ["keys"],
  list: async () => (await data(api.GET("/v1/keys"))).data,
  create: (body) => data(api.POST("/v1/keys", { body })),
  rotate: (id, grace_s) =>
    data(api.POST("/v1/keys/{id}/rotate", { params: { path: { id } }, body: { grace_s } })),
  revoke: (id) => data(api.DELETE("/v1/keys/{id}", { params: { path: { id } } })),
  adapters: adapterNames(null),
};

/** What each scope opens. */
export const SCOPES: { scope: Scope; means: string }[] = [
  { scope: "chat", means: "Generate with the base model and the adapters" },
  { scope: "models:read", means: "List the models" },
  { scope: "adapters:read", means: "See adapters, versions and reports" },
  { scope: "adapters:write", means: "Upload, roll out, disable and delete adapters" },
  { scope: "usage:read", means: "See what was used" },
  { scope: "keys:write", means: "Make, rotate and revoke keys" },
];

/** What a new key has when nothing is said. */
export const USUAL_SCOPES: Scope[] = ["chat", "models:read", "adapters:read", "adapters:write"];

export type KeyState = "active" | "ended" | "revoked";

/** Where a key is at this time, in Unix seconds. */
export function stateOf(key: Key, now: number): KeyState {
  if (typeof key.revoked_at === "number") return "revoked";
  return typeof key.expires_at === "number" && key.expires_at <= now ? "ended" : "active";
}
