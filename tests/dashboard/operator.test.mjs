// An operator makes a tenant and its key, limits it, and sees it in the audit log; the tenant signs in with that key.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { assertCalm, clipboard, launch, open, signIn, signOut } from "./lib/browser.mjs";
import { Server } from "./lib/server.mjs";
import { steps } from "./lib/steps.mjs";

let server, browser, page, key;
const step = steps(() => page);
const slug = "hooli";

before(async () => {
  server = await Server.start({ TENORA_DEFAULT_REQUESTS_PER_MINUTE: "6000" });
  browser = await launch();
  page = await open(browser, server);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

step("a wrong key is refused in words", async () => {
  await page.goto("/dashboard");
  await page.getByLabel("Key", { exact: true }).fill("tk_wrong.key");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
});

step("the operator signs in, and a script cannot read the cookie", async () => {
  await signIn(page, server.credentials.admin_key);
  const [cookie] = await page.context().cookies();
  assert.equal(cookie.name, "tenora_session");
  assert.equal(cookie.httpOnly, true);
  assert.equal(cookie.sameSite, "Strict");
  assert.equal(await page.evaluate(() => document.cookie), "");
});

step("a tenant is made, found by search, and reached by its address", async () => {
  await page.goto("/dashboard/tenants");
  await page.getByRole("button", { name: "New tenant" }).click();
  await page.getByLabel("Slug", { exact: true }).fill(slug);
  await page.getByLabel("Name", { exact: true }).fill("Hooli");
  await page.getByRole("button", { name: "Create tenant" }).click();
  await page.waitForURL(`**/tenants/${slug}?tab=keys`);

  await page.goto("/dashboard/tenants");
  await page.getByLabel("Search by slug or name").fill("hool");
  await page.getByRole("link", { name: slug }).waitFor();
  await page.getByRole("link", { name: "acme" }).waitFor({ state: "hidden" });
  assert.match(page.url(), /q=hool/);
});

step("its key is shown once, and copied", async () => {
  await page.goto(`/dashboard/tenants/${slug}?tab=keys`);
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("Name", { exact: true }).fill("production");
  for (const scope of ["usage:read", "keys:write"]) await page.getByLabel(scope).check();
  await page.getByRole("button", { name: "Create key" }).click();
  key = await page.getByTestId("new-key").innerText();
  assert.match(key, /^tk_[0-9a-f]{32}\.[0-9a-f]{64}$/);
  await page.getByRole("button", { name: "Copy the key" }).click();
  assert.equal(await clipboard(page), key);
  await page.getByRole("button", { name: "I have it" }).click();
  await page.getByRole("row", { name: /^production/ }).waitFor();
  assert.equal(await page.getByText(key).count(), 0);
});

step("a key is rotated with a grace, and revoked", async () => {
  const menu = page.getByRole("button", { name: "Actions for the key production" });
  await menu.click();
  await page.getByRole("menuitem", { name: "Rotate…" }).click();
  await page.getByRole("button", { name: "Rotate", exact: true }).click();
  const next = await page.getByTestId("new-key").innerText();
  assert.notEqual(next, key);
  await page.getByRole("button", { name: "I have it" }).click();
  await page.getByRole("cell", { name: "tomorrow" }).waitFor();
  assert.equal((await server.api(key, "GET", "/v1/me")).tenant, slug);
  await menu.last().click();
  await page.getByRole("menuitem", { name: "Revoke…" }).click();
  await page.getByRole("button", { name: "Revoke", exact: true }).click();
  await page.getByText("The key production is revoked.").waitFor();
  // One of the two is left: the tenant goes on with it.
  for (const one of [key, next]) if (await works(one)) key = one;
  assert.ok(await works(key));
});

const works = (one) =>
  server.api(one, "GET", "/v1/me").then(
    () => true,
    () => false,
  );

step("limits are set, and what cannot be is told", async () => {
  await page.goto(`/dashboard/tenants/${slug}?tab=limits`);
  const limit = (name) => page.getByRole("group", { name });
  await limit("Requests per minute").getByText("Server default: 6,000", { exact: true }).waitFor();
  await limit("Adapter rank").getByText("Server default: unlimited", { exact: true }).waitFor();
  await limit("Requests per minute").getByText("Number").click();
  await limit("Requests per minute").getByRole("textbox").fill("many");
  await page.getByText("A whole number from 0 on").waitFor();
  assert.ok(await page.getByRole("button", { name: "Save limits" }).isDisabled());
  await limit("Requests per minute").getByRole("textbox").fill("600");
  await limit("Bytes of adapters").getByText("Number").click();
  await limit("Bytes of adapters").getByRole("textbox").fill("10 GiB");
  await limit("Adapter rank").getByText("Unlimited", { exact: true }).click();
  await page.getByRole("button", { name: "Save limits" }).click();
  await page.getByText("The limits hold from now on").waitFor();
  const { limits } = await server.admin("GET", `/tenants/${slug}`);
  assert.deepEqual(limits, {
    requests_per_minute: 600,
    adapter_bytes: 10 * 2 ** 30,
    adapter_rank: "unlimited",
  });
});

step("limits that somebody else changed are not overwritten", async () => {
  await page.goto(`/dashboard/tenants/${slug}?tab=limits`);
  const group = page.getByRole("group", { name: "Adapters", exact: true });
  await group.getByText("Unlimited", { exact: true }).click();
  await server.admin("PATCH", `/tenants/${slug}`, { limits: { monthly_tokens: 1000 } });
  await page.getByRole("button", { name: "Save limits" }).click();
  await page.getByText("Somebody else has changed these limits").waitFor();
  assert.deepEqual((await server.admin("GET", `/tenants/${slug}`)).limits, { monthly_tokens: 1000 });
});

step("a tenant is suspended and resumed", async () => {
  await page.goto(`/dashboard/tenants/${slug}`);
  await page.getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Suspend" }).click();
  await page.getByText("Suspended", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await page.getByText("Active", { exact: true }).waitFor();
});

step("the audit log shows all of it", async () => {
  await page.goto(`/dashboard/audit?tenant=${slug}`);
  for (const words of ["Tenant made", "Key made", "Key rotated", "Key revoked", "Tenant changed"]) {
    await page.getByText(words).first().waitFor();
  }
});

step("the tenant signs in with that key, and sees no page of the operator's", async () => {
  await signOut(page);
  await signIn(page, key);
  await page.getByRole("link", { name: "Playground" }).waitFor();
  await page.getByText("Key production", { exact: true }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Tenants" }).count(), 0);
  assert.equal(await page.getByRole("link", { name: "Audit" }).count(), 0);
  await signOut(page);
});

step("a tenant is deleted after its slug was typed", async () => {
  await signIn(page, server.credentials.admin_key);
  await page.goto(`/dashboard/tenants/${slug}`);
  await page.getByRole("button", { name: "Delete" }).click();
  const deed = page.getByRole("button", { name: "Delete this tenant" });
  assert.ok(await deed.isDisabled());
  await page.getByLabel(`Type ${slug} to confirm`).fill(slug);
  await deed.click();
  await page.waitForURL(/\/dashboard\/tenants$/);
  await page.getByRole("link", { name: "acme" }).waitFor();
  assert.equal(await page.getByRole("link", { name: slug }).count(), 0);
});

step("nothing broke on the way, and the policy forbade nothing", () => assertCalm(page));
