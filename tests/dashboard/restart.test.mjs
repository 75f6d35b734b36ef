// The page lives through a restart of the server: signed in, and live again by itself.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { launch, open, signIn } from "./lib/browser.mjs";
import { Server } from "./lib/server.mjs";
import { steps } from "./lib/steps.mjs";

let server, browser, page;
const step = steps(() => page);

before(async () => {
  server = await Server.start();
  browser = await launch();
  page = await open(browser, server);
  await signIn(page, server.credentials.admin_key);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

step("while the server is away, the page says so and keeps what it shows", async () => {
  await page.goto("/dashboard/tenants");
  await page.getByRole("link", { name: "acme" }).waitFor();
  await page.goto("/dashboard/");
  await page.getByText("Live", { exact: true }).first().waitFor();
  await server.halt();
  await page
    .getByText(/Reconnecting/i)
    .first()
    .waitFor();
});

step("after it is back, the page is live again without a reload, and still signed in", async () => {
  const loads = [];
  page.on("load", () => loads.push(page.url()));
  await server.run();
  await page.getByText("Live", { exact: true }).first().waitFor({ timeout: 20_000 });
  await page.getByRole("link", { name: "Tenants" }).click();
  await page.getByRole("link", { name: "acme" }).waitFor();
  assert.deepEqual(loads, []);
});
