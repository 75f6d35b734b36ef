// Pictures of each page, dark and light, into docs/screenshots: node screenshots.mjs path/to/tenora [page ...]
import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { launch, open, signIn } from "./lib/browser.mjs";
import { chat, operatorPages, seed, settled, tenantPages } from "./lib/pages.mjs";
import { root, Server } from "./lib/server.mjs";

/** What the documents show; the rest of the pages is looked at by name. */
const SHOWN = [
  "overview",
  "tenants",
  "tenant",
  "tenant-limits",
  "tenant-keys",
  "adapters",
  "adapter",
  "report",
  "refused",
  "aliases",
  "playground",
  "usage",
  "audit",
];

const [binary, ...asked] = process.argv.slice(2);
if (!binary) throw new Error("usage: node screenshots.mjs path/to/tenora [page ...]");
process.env.TENORA_TEST_BINARY = path.resolve(binary);
const names = asked.length > 0 ? asked : SHOWN;
const folder = process.env.TENORA_TEST_SCREENSHOTS ?? path.join(root, "docs/screenshots");
await mkdir(folder, { recursive: true });

const server = await Server.start();
const browser = await launch();
try {
  await seed(server);
  const traffic = busy(server);
  await new Promise((resolve) => setTimeout(resolve, 45_000));
  for (const scheme of ["dark", "light"]) {
    await shoot(scheme, server.credentials.admin_key, operatorPages);
    await shoot(scheme, server.key("acme"), tenantPages);
  }
  await traffic.stop();
} finally {
  await browser.close();
  await server.stop();
}

async function shoot(scheme, key, all) {
  const pages = all.filter(({ name }) => names.includes(name));
  if (pages.length === 0) return;
  const page = await open(browser, server, { scheme });
  await signIn(page, key);
  for (const { name, path: address, act } of pages) {
    await page.goto(`/dashboard${address}`);
    await settled(page);
    await act?.(page);
    // Fonts and the pointer's traces apart, a picture is of what stands still.
    await page.mouse.move(0, 0);
    await page.waitForTimeout(600);
    const file = path.join(folder, `${name}-${scheme}.png`);
    await page.screenshot({ path: file, animations: "disabled" });
    console.log(path.relative(root, file), `${Math.round((await stat(file)).size / 1000)} kB`);
  }
  await page.context().close();
}

/** Requests of all tenants, more and less of them in turn, so that the live page has something to show. */
function busy(server) {
  let going = true;
  const models = [
    ["acme", "ticket-triage"],
    ["globex", "text-to-sql"],
    ["initech", "brand-voice"],
    ["acme", "base"],
  ];
  const lanes = models.map(async ([slug, model], lane) => {
    while (going) {
      await chat(server, server.key(slug), model).catch(() => undefined);
      await new Promise((resolve) =>
        setTimeout(resolve, 150 + 120 * lane + 100 * Math.sin(Date.now() / 4000)),
      );
    }
  });
  return {
    async stop() {
      going = false;
      await Promise.all(lanes);
    },
  };
}
