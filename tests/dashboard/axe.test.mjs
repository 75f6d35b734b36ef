// axe finds nothing serious on any page, in dark and in light.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launch, open, signIn } from "./lib/browser.mjs";
import { Server } from "./lib/server.mjs";
import { operatorPages, seed, settled, tenantPages, viewerPages } from "./lib/pages.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
let server, browser;

before(async () => {
  server = await Server.start();
  await seed(server);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const scheme of ["dark", "light"]) {
  for (const [who, pages, key] of [
    ["an operator", operatorPages, () => server.credentials.admin_key],
    ["a viewer", viewerPages, () => server.viewerKey],
    ["a tenant", tenantPages, () => server.key("acme")],
  ]) {
    test(`${scheme}, as ${who}`, async () => {
      const page = await open(browser, server, { scheme });
      const faults = [];
      if (who === "an operator") {
        await page.goto("/dashboard/sign-in");
        await page.getByRole("button", { name: "Sign in" }).waitFor();
        faults.push(...(await serious(page, "sign-in")));
      }
      await signIn(page, key());
      for (const { name, path, act } of pages) {
        await page.goto(`/dashboard${path}`);
        await settled(page);
        await act?.(page);
        faults.push(...(await serious(page, name)));
      }
      assert.deepEqual(faults, []);
      await page.context().close();
    });
  }
}

/** What axe finds of these two grades, each with where. */
async function serious(page, name) {
  // Within the page's own world and over the debugger's wire: its policy stays as it is.
  await page.evaluate(await source());
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { resultTypes: ["violations"] }),
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${name}: ${id} at ${nodes
          .slice(0, 3)
          .map(({ target, any }) => `${target} ${any[0]?.message ?? ""}`)
          .join(" | ")}`,
    );
}

let script;
async function source() {
  script ??= await readFile(axe, "utf8");
  return script;
}
