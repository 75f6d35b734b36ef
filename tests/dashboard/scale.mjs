// The page with 10,000 tenants and 100,000 adapters, 10,000 of them one tenant's: how long lists take, and whether they scroll.
// node scale.mjs path/to/tenora postgres://postgres@127.0.0.1:5432/postgres
// Makes a database of its own and drops it. Not part of the tests: times say more of the machine than of the page.
import { execFileSync } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { launch, open, signIn } from "./lib/browser.mjs";
import { demo, Server } from "./lib/server.mjs";

const [binary, postgres] = process.argv.slice(2);
if (!postgres) throw new Error("usage: node scale.mjs path/to/tenora postgres-url");
process.env.TENORA_TEST_BINARY = path.resolve(binary);

const TENANTS = 10_000;
const ADAPTERS_EACH = 9;
const ADAPTERS_OF_ONE = 10_000;
const DAYS = 30;
/** Turns of the wheel: 300 pixels every 40 ms, seven rows at a time. */
const WHEELS = 150;

const name = `tenora_scale_${process.pid}`;
const url = Object.assign(new URL(postgres), { pathname: `/${name}` }).href;
const sql = (database, text) =>
  execFileSync("psql", ["-q", "-v", "ON_ERROR_STOP=1", database], { input: text, encoding: "utf8" });
const rows = [];
const told = (what, value) => {
  rows.push([what, value]);
  process.stderr.write(`${what}: ${value}\n`);
};

sql(postgres, `CREATE DATABASE ${name}`);
let server, browser;
try {
  const settings = {
    TENORA_DATABASE_URL: url,
    TENORA_MODEL: path.join(demo, "base"),
    TENORA_PEPPER: "a-pepper-that-is-long-enough-for-a-benchmark",
    TENORA_ADMIN_KEY: "an-operators-key-that-is-long-enough-to-be-taken",
  };
  const data = await mkdtemp(path.join(tmpdir(), "tenora-scale-"));
  const env = { ...process.env, ...settings, TENORA_DATA_DIR: data };
  execFileSync(binary, ["migrate"], { env, stdio: ["ignore", "ignore", "inherit"] });
  process.stderr.write("seeding\n");
  sql(url, seed());
  server = await Server.start(settings, ["serve"]);
  server.credentials = { admin_key: settings.TENORA_ADMIN_KEY };
  const made = await server.admin("POST", "/tenants/big/keys", {
    name: "scale",
    scopes: ["chat", "models:read", "adapters:read", "usage:read"],
  });
  browser = await launch();

  const page = await open(browser, server);
  await signIn(page, settings.TENORA_ADMIN_KEY);
  await timed("tenants: the first rows", () => go(page, "/dashboard/tenants", "big"));
  await timed("tenants: found by a piece of a name", () => find(page, "Tenant 9876", "t-009876"));
  await timed("tenants: sorted by age, the newest first", async () => {
    await go(page, "/dashboard/tenants?sort=-created_at", "t-010000");
  });
  await scrolled("tenants", page);
  await timed("one tenant of 10,000 adapters", () => go(page, "/dashboard/tenants/big?tab=adapters", "adapter-00001"));
  await scrolled("its adapters", page);
  await timed("usage of 30 days by tenant", async () => {
    await page.goto("/dashboard/usage?range=30d&by=tenant");
    await page.getByText(/^Others/).first().waitFor();
  });

  const own = await open(browser, server);
  await signIn(own, made.key);
  await timed("a tenant's own 10,000 adapters: the first rows", () => go(own, "/dashboard/adapters", "adapter-00001"));
  await timed("found by a piece of a name", () => find(own, "r-0876", "adapter-08760"));
  await scrolled("own adapters", own);
  await timed("playground: a model by a piece of its name", async () => {
    await own.goto("/dashboard/playground");
    const model = own.getByRole("combobox").or(own.getByLabel(/model/i)).first();
    await model.fill("09999");
    await own.getByRole("option", { name: "adapter-09999" }).first().waitFor();
  });
} finally {
  await browser?.close();
  await server?.stop();
  sql(postgres, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}
process.stdout.write(`| what | |\n|---|--:|\n${rows.map(([what, value]) => `| ${what} | ${value} |`).join("\n")}\n`);

async function timed(what, act) {
  const began = performance.now();
  await act();
  told(what, `${Math.round(performance.now() - began)} ms`);
}

async function go(page, address, first) {
  await page.goto(address);
  await page.getByText(first, { exact: true }).first().waitFor();
}

async function find(page, text, found) {
  await page.getByLabel(/^Search/).first().fill(text);
  await page.getByText(found, { exact: true }).first().waitFor();
  await page.waitForFunction((text) => document.querySelectorAll("tbody tr a").length <= 60 && text, text);
}

/** Turns the wheel over a list, which loads more as it goes, and measures the time between frames. */
async function scrolled(what, page) {
  const search = page.getByLabel(/^Search/).first();
  if ((await search.count()) > 0 && (await search.inputValue()) !== "") await search.fill("");
  await page.waitForTimeout(500);
  await page.locator("tbody").first().hover();
  await page.evaluate(() => {
    window.frames_ = [];
    let before = performance.now();
    const frame = (now) => {
      window.frames_.push(now - before);
      before = now;
      window.measuring_ = requestAnimationFrame(frame);
    };
    window.measuring_ = requestAnimationFrame(frame);
  });
  for (let wheel = 0; wheel < WHEELS; wheel += 1) {
    await page.mouse.wheel(0, 300);
    await page.waitForTimeout(40);
  }
  const [frames, drawn] = await page.evaluate(() => {
    cancelAnimationFrame(window.measuring_);
    return [window.frames_, document.querySelectorAll("tbody tr").length];
  });
  frames.sort((a, b) => a - b);
  const at = (share) => Math.round(frames[Math.floor(share * (frames.length - 1))]);
  told(`scrolling ${what}: time between frames, p50 / p95 / longest`, `${at(0.5)} / ${at(0.95)} / ${at(1)} ms`);
  told(`scrolling ${what}: rows in the page at the end`, String(drawn));
}

function seed() {
  const version = (number) => `SELECT tenant_id, name, ${number}, sha256(convert_to(tenant_id::text || name || '${number}', 'UTF8')),
    1000000, 'base', '{"rank": 16, "bytes": 1000000, "modules": ["q_proj", "v_proj"]}', created_at FROM adapters`;
  return `
    SET tenora.operator = 'on';
    INSERT INTO tenants (id, slug, name, created_at)
      SELECT gen_random_uuid(), 't-' || lpad(n::text, 6, '0'), 'Tenant ' || n, now() - (${TENANTS} - n) * interval '1 minute'
      FROM generate_series(1, ${TENANTS}) n;
    INSERT INTO tenants (id, slug, name, created_at) VALUES (gen_random_uuid(), 'big', 'Big', now() - interval '30 days');
    INSERT INTO adapters (tenant_id, name, last_number, created_at)
      SELECT id, 'adapter-' || n, 1, now() FROM tenants, generate_series(1, ${ADAPTERS_EACH}) n WHERE slug <> 'big';
    INSERT INTO adapters (tenant_id, name, last_number, created_at)
      SELECT id, 'adapter-' || lpad(n::text, 5, '0'), 1, now() - n * interval '1 minute'
      FROM tenants, generate_series(1, ${ADAPTERS_OF_ONE}) n WHERE slug = 'big';
    INSERT INTO adapter_versions (tenant_id, adapter, number, digest, bytes, base_fingerprint, report, created_at) ${version(1)};
    INSERT INTO adapter_aliases (tenant_id, adapter, alias, revision, targets, moved_at)
      SELECT tenant_id, name, 'latest', 1, '[{"version": 1, "weight": 1}]', now() FROM adapters;
    INSERT INTO usage_hourly (tenant_id, hour, key_id, adapter, version, requests, failed, input_tokens, cached_tokens, output_tokens)
      SELECT t.id, (extract(epoch FROM now())::bigint / 86400 - d) * 86400, t.id, 'adapter-1', 1, 100, 1, 5000, 100, (random() * 5000)::bigint
      FROM tenants t, generate_series(0, ${DAYS - 1}) d;
    ANALYZE;`;
}
