// Every page with something on it: for axe and for the pictures.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { eventually } from "./browser.mjs";
import { demo } from "./server.mjs";

const button = (name) => async (page) => {
  await page.getByRole("button", { name }).first().click();
  await page.getByRole("dialog").waitFor();
  await page.waitForTimeout(300);
};

/** Opens something, and asks a question where one can. */
const ask = async (page) => {
  await page.getByLabel("Message").fill("I was charged twice for my order.");
  await page.getByLabel("Message").press("Enter");
  await page.waitForFunction(() => {
    const answers = document.querySelectorAll("article");
    return answers.length > 0 && [...answers].every((answer) => answer.getAttribute("aria-busy") === "false");
  });
};

export const operatorPages = [
  { name: "overview", path: "/" },
  { name: "tenants", path: "/tenants" },
  { name: "new-tenant", path: "/tenants", act: button("New tenant") },
  { name: "tenant", path: "/tenants/acme" },
  { name: "tenant-limits", path: "/tenants/acme?tab=limits" },
  { name: "tenant-keys", path: "/tenants/acme?tab=keys" },
  { name: "tenant-new-key", path: "/tenants/acme?tab=keys", act: button("New key") },
  { name: "tenant-usage", path: "/tenants/acme?tab=usage" },
  { name: "tenant-adapters", path: "/tenants/acme?tab=adapters" },
  { name: "adapters-of-a-tenant", path: "/adapters?tenant=acme" },
  { name: "usage-of-all", path: "/usage" },
  { name: "audit", path: "/audit" },
];

/** Where a viewer sees something else than an operator who may change it. */
export const viewerPages = [
  { name: "viewer-tenant", path: "/tenants/acme" },
  { name: "viewer-limits", path: "/tenants/acme?tab=limits" },
];

export const tenantPages = [
  { name: "tenant-overview", path: "/" },
  { name: "adapters", path: "/adapters" },
  { name: "pushes", path: "/adapters?tab=pushes" },
  { name: "refused", path: "/adapters?tab=pushes", act: button("Why") },
  { name: "adapter", path: "/adapters/ticket-triage" },
  { name: "report", path: "/adapters/ticket-triage", act: button("Report") },
  { name: "aliases", path: "/adapters/ticket-triage?tab=aliases" },
  {
    name: "alias-editor",
    path: "/adapters/ticket-triage?tab=aliases",
    act: button("Move ticket-triage@prod"),
  },
  { name: "playground", path: "/playground?models=base,ticket-triage&temperature=0&max_tokens=48", act: ask },
  { name: "keys", path: "/keys" },
  { name: "usage", path: "/usage" },
];

/** What is asked of the server has come, and is drawn. A live page is never idle, so no wait for silence. */
export async function settled(page) {
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForFunction(
    () => document.querySelectorAll("[role=status] .mantine-Skeleton-root").length === 0,
  );
  await page.waitForTimeout(400);
}

/** Something to see: a second version, a shared alias, a refused push, keys, and requests of every tenant. */
export async function seed(server) {
  const own = server.key("acme");
  await upload(server, own, "ticket-triage", "brand-voice");
  await server.api(own, "PUT", "/v1/adapters/ticket-triage/aliases/latest", { version: 1 });
  await server.api(own, "PUT", "/v1/adapters/ticket-triage/aliases/prod", { version: 1 });
  const targets = [
    { version: 1, weight: 9 },
    { version: 2, weight: 1 },
  ];
  await server.api(own, "PUT", "/v1/adapters/ticket-triage/aliases/prod", { targets });
  await upload(server, own, "new-tone", "brand-voice", { use_dora: true }).catch(() => undefined);
  await server.admin("POST", "/tenants/acme/keys", { name: "production", scopes: ["chat", "models:read"] });
  const limits = {
    requests_per_minute: 6000,
    monthly_tokens: 50_000_000,
    adapter_bytes: 10 * 2 ** 30,
    adapter_rank: "unlimited",
  };
  await server.admin("PATCH", "/tenants/acme", { limits });
  const models = {
    acme: ["ticket-triage", "ticket-triage@2", "base"],
    globex: ["text-to-sql"],
    initech: ["brand-voice", "base"],
  };
  for (const [slug, names] of Object.entries(models)) {
    for (const model of names) await chat(server, server.key(slug), model);
  }
}

export function chat(server, key, model) {
  const messages = [{ role: "user", content: "I was charged twice for my order." }];
  return server.api(key, "POST", "/v1/chat/completions", { model, messages, max_tokens: 24, temperature: 0 });
}

/** Waits until so many requests of a tenant are counted, which is about a second after their end. */
export function counted(server, slug, requests) {
  const start = Math.floor(Date.now() / 1000) - 3600;
  return eventually(async () => {
    const { data } = await server.admin("GET", `/usage?start_time=${start}&project_ids=${slug}`);
    const results = data.flatMap((bucket) => bucket.results);
    const found = results.reduce((sum, result) => sum + result.num_model_requests, 0);
    if (found < requests) throw new Error(`${found} of ${requests} requests of ${slug} are counted`);
  });
}

/** The demo's adapter of that folder, under a name of the tenant's choice. */
export async function upload(server, key, name, folder, change = {}) {
  const config = JSON.parse(
    await readFile(path.join(demo, "adapters", folder, "adapter_config.json"), "utf8"),
  );
  const weights = await readFile(path.join(demo, "adapters", folder, "adapter_model.safetensors"));
  const form = new FormData();
  form.append("name", name);
  form.append(
    "adapter_config.json",
    new Blob([JSON.stringify({ ...config, ...change })]),
    "adapter_config.json",
  );
  form.append("adapter_model.safetensors", new Blob([weights]), "adapter_model.safetensors");
  const answer = await fetch(`${server.url}/v1/adapters`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: form,
  });
  if (!answer.ok) throw new Error(await answer.text());
}
