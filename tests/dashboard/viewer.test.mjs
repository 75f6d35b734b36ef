// Whoever may only look sees what an operator sees, and nothing to change it with.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { assertCalm, launch, open, signIn } from "./lib/browser.mjs";
import { counted, seed, settled } from "./lib/pages.mjs";
import { Server } from "./lib/server.mjs";
import { steps } from "./lib/steps.mjs";

/** How buttons begin that change something, here or in a dialog that they open. */
const CHANGES =
  /^(new |create |save|discard|rename|suspend|resume|delete|rotate|revoke|upload$|move|promote|enable|disable|roll back|give it|try it|actions for)/i;

let server, browser, page;
const step = steps(() => page);

before(async () => {
  server = await Server.start();
  await seed(server);
  await counted(server, "acme", 3);
  browser = await launch();
  page = await open(browser, server);
  await signIn(page, server.viewerKey);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

step("the menu has what can be looked at", async () => {
  await page.getByText("Operator (view only)").waitFor();
  const pages = await page.getByRole("navigation", { name: "Pages" }).getByRole("link").allInnerTexts();
  assert.deepEqual(pages, ["Overview", "Tenants", "Adapters", "Usage", "Audit"]);
});

const region = (name) => () => page.getByRole("region", { name, exact: true });
const row = (list, words) => () => region(list)().getByRole("row", { name: words }).first();

for (const [address, seen] of [
  ["/", () => page.getByText("Live", { exact: true }).first()],
  ["/tenants", row("Tenants", /^acme/)],
  ["/tenants/acme", () => page.getByRole("table", { name: "Limits" })],
  ["/tenants/acme?tab=limits", () => page.getByRole("row", { name: "Adapter rank Unlimited" })],
  ["/tenants/acme?tab=keys", row("Keys", /^production/)],
  ["/tenants/acme?tab=usage", row("Usage by model", /^ticket-triage@1/)],
  ["/tenants/acme?tab=adapters", row("Adapters", /^ticket-triage/)],
  ["/adapters?tenant=acme", row("Adapters", /^ticket-triage/)],
  ["/adapters/ticket-triage?tenant=acme", row("Versions", /^@2/)],
  [
    "/adapters/ticket-triage?tenant=acme&tab=aliases",
    () => page.getByText("ticket-triage@prod", { exact: true }),
  ],
  ["/usage", row("Usage by group", /^acme/)],
  ["/audit", row("Audit log", /acme/)],
]) {
  step(`${address} is shown, with nothing that changes it`, async () => {
    await page.goto(`/dashboard${address}`);
    await seen().waitFor();
    await settled(page);
    const { buttons, forms } = await page.evaluate(() => ({
      buttons: [...document.querySelectorAll("main button, main [role=button]")].map((button) =>
        (button.getAttribute("aria-label") ?? button.textContent).trim(),
      ),
      forms: document.querySelectorAll("main form").length,
    }));
    assert.deepEqual(
      buttons.filter((name) => CHANGES.test(name)),
      [],
    );
    assert.equal(forms, 0);
  });
}

step("nothing broke on the way, and the policy forbade nothing", () => assertCalm(page));
