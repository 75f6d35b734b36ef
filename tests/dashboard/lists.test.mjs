// Adapters are searched and sorted by the server, for a tenant and for an operator, and show how many requests fail.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { assertCalm, eventually, launch, open, signIn } from "./lib/browser.mjs";
import { chat, counted, upload } from "./lib/pages.mjs";
import { Server } from "./lib/server.mjs";
import { steps } from "./lib/steps.mjs";

/** Times are whole seconds: adapters of one second have no order of age. */
const APART_MS = 1_100;
const BY_NAME = ["aardvark-voice", "ticket-triage", "zebra-voice"];
const BY_AGE = ["ticket-triage", "zebra-voice", "aardvark-voice"];

let server, browser, tenant, operator;
let shown = null;
const step = steps(() => shown);

before(async () => {
  server = await Server.start();
  const own = server.key("acme");
  for (const name of BY_AGE.slice(1)) {
    await wait(APART_MS);
    await upload(server, own, name, "brand-voice");
  }
  await chat(server, own, "ticket-triage");
  await counted(server, "acme", 1);
  browser = await launch();
  tenant = await open(browser, server);
  await signIn(tenant, own);
  operator = await open(browser, server);
  await signIn(operator, server.credentials.admin_key);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const list = () => shown.getByRole("region", { name: "Adapters", exact: true });

const listed = (expected) =>
  eventually(async () => assert.deepEqual(await list().locator("tbody a").allInnerTexts(), expected));

/** A request of the page to that route with such a parameter. */
const asked = (route, name, value) =>
  shown.waitForRequest((request) => {
    const { pathname, searchParams } = new URL(request.url());
    return pathname === route && searchParams.get(name) === value;
  });

for (const [who, page, address, route] of [
  ["a tenant", () => tenant, "/dashboard/adapters", "/v1/adapters"],
  ["an operator", () => operator, "/dashboard/tenants/acme?tab=adapters", "/admin/v1/tenants/acme/adapters"],
]) {
  step(`${who} finds adapters by any part of their name, whatever its case`, async () => {
    shown = page();
    await shown.goto(address);
    await listed(BY_NAME);
    const search = shown.getByLabel("Search by name", { exact: true });
    const request = asked(route, "q", "VOICE");
    await search.fill("VOICE");
    await request;
    await listed(["aardvark-voice", "zebra-voice"]);
    assert.match(shown.url(), /q=VOICE/);
    await shown.reload();
    await listed(["aardvark-voice", "zebra-voice"]);
    assert.equal(await search.inputValue(), "VOICE");
    await search.fill("nobody");
    await shown.getByText("No adapter has “nobody” in its name").waitFor();
    await search.fill("");
    await listed(BY_NAME);
  });

  step(`${who} has the server sort them by age and by name`, async () => {
    const sortBy = async (head, order, expected) => {
      const request = asked(route, "order", order);
      await list().getByRole("button", { name: head, exact: true }).click();
      await request;
      await listed(expected);
      assert.ok(shown.url().includes(`sort=${order}`), shown.url());
    };
    await sortBy("Created", "created_at", BY_AGE);
    await sortBy("Created", "-created_at", BY_AGE.toReversed());
    await shown.reload();
    await listed(BY_AGE.toReversed());
    await list().getByRole("button", { name: "Adapter", exact: true }).click();
    await listed(BY_NAME);
    await sortBy("Adapter", "-name", BY_NAME.toReversed());
  });
}

step("a new key's adapters are chosen from those that hold what is typed", async () => {
  await shown.goto("/dashboard/tenants/acme?tab=keys");
  await shown.getByRole("button", { name: "New key" }).click();
  const option = (name) => shown.getByRole("option", { name, exact: true });
  const field = shown.getByRole("dialog").getByLabel("Adapters", { exact: true }).first();
  await field.click();
  await option("ticket-triage").waitFor();
  await field.fill("voice");
  await option("ticket-triage").waitFor({ state: "hidden" });
  await option("zebra-voice").click();
  await shown.getByRole("dialog").getByText("zebra-voice", { exact: true }).first().waitFor();
});

step("an adapter's errors are told, and an adapter without requests has none", async () => {
  shown = tenant;
  await shown.goto("/dashboard/adapters");
  await shown.getByRole("columnheader", { name: "Errors" }).waitFor();
  const errors = shown.getByRole("row", { name: /^ticket-triage/ }).getByTitle("0 of 1 requests failed");
  assert.equal(await errors.innerText(), "0%");
  assert.equal(await shown.getByTitle("requests failed").count(), 1);
});

step("usage is asked for by the names that are shown, and failures stand out", async () => {
  const models = [];
  // The demo's model answers everything: the failures are put into the server's answer.
  await shown.route(/\/v1\/usage\?/, async (route) => {
    const { searchParams } = new URL(route.request().url());
    models.push(searchParams.getAll("models").flatMap((names) => names.split(",")));
    const response = await route.fetch();
    const body = await response.json();
    for (const result of body.data.flatMap((bucket) => bucket.results))
      result.num_failed_requests = result.num_model_requests;
    await route.fulfill({ response, json: body });
  });
  const failed = () => shown.getByTitle("1 of 1 requests failed");
  await shown.goto("/dashboard/adapters");
  assert.equal(await failed().innerText(), "100%");
  assert.deepEqual(models.splice(0), [BY_NAME]);

  await shown.goto("/dashboard/adapters/ticket-triage");
  await shown.getByRole("columnheader", { name: "Errors" }).waitFor();
  assert.equal(await failed().innerText(), "100%");
  assert.deepEqual(models.splice(0), [["ticket-triage"]]);
  await shown.unroute(/\/v1\/usage\?/);
});

step("nothing broke on the way, and the policy forbade nothing", () => {
  assertCalm(tenant);
  assertCalm(operator);
});
