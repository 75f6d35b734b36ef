// A tenant uploads, is refused, compares, rolls out and back, and sees nothing of others.
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { assertCalm, clipboard, drop, launch, open, signIn } from "./lib/browser.mjs";
import { demo, Server } from "./lib/server.mjs";
import { steps } from "./lib/steps.mjs";

let server, browser, page, folder;
const step = steps(() => page);

before(async () => {
  server = await Server.start();
  browser = await launch();
  page = await open(browser, server, { scheme: "light" });
  folder = await mkdtemp(path.join(tmpdir(), "tenora-dashboard-"));
  await signIn(page, server.key("acme"));
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const dropZone = () => page.getByRole("group", { name: "Upload an adapter" });

step("a dropped folder becomes an adapter that is ready", async () => {
  await page.goto("/dashboard/adapters");
  await drop(page, dropZone(), [path.join(demo, "adapters/brand-voice")]);
  const name = page.getByRole("textbox", { name: "Name" });
  assert.equal(await name.inputValue(), "brand-voice");
  await name.fill("voice");
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.getByText("voice@1 is ready").waitFor();
  await page.getByText("How strong each projection is").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("link", { name: "voice" }).waitFor();
});

step("its two files are as good, and a version can wait for its turn", async () => {
  await page.goto("/dashboard/adapters/voice");
  const files = ["adapter_config.json", "adapter_model.safetensors"];
  await drop(
    page,
    dropZone(),
    files.map((file) => path.join(demo, "adapters/text-to-sql", file)),
  );
  await page.getByLabel("Requests for the plain name get it at once").uncheck();
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.getByText("voice@2 is ready").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("cell", { name: "@2", exact: true }).waitFor();
  assert.equal((await server.api(server.key("acme"), "GET", "/v1/adapters/voice")).latest, 1);
});

step("a folder without weights is told at once", async () => {
  await page.goto("/dashboard/adapters");
  await drop(page, dropZone(), [path.join(demo, "adapters/brand-voice/adapter_config.json")]);
  await page.getByText("adapter_model.safetensors is missing").waitFor();
});

step("a refused upload says why, where, and what to do", async () => {
  const broken = path.join(folder, "dora");
  await cp(path.join(demo, "adapters/brand-voice"), broken, { recursive: true });
  const config = JSON.parse(await readFile(path.join(broken, "adapter_config.json"), "utf8"));
  await writeFile(path.join(broken, "adapter_config.json"), JSON.stringify({ ...config, use_dora: true }));
  await drop(page, dropZone(), [broken]);
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  const alert = page.getByRole("alert").filter({ hasText: "Refused" });
  await alert.waitFor();
  for (const words of ["adapter_unsupported_dora", "use_dora", "Train with use_dora=False."]) {
    assert.ok((await alert.innerText()).includes(words), words);
  }
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("tab", { name: "Pushes" }).click();
  await page
    .getByRole("row", { name: /dora rejected/ })
    .getByRole("button", { name: "Why" })
    .click();
  await page.getByText("Train with use_dora=False.").waitFor();
  await page.keyboard.press("Escape");
});

step("the playground compares the base and an adapter", async () => {
  await page.goto("/dashboard/playground?models=base,ticket-triage&temperature=0&max_tokens=24");
  await page.getByLabel("Message").fill("I was charged twice for my order.");
  await page.getByLabel("Message").press("Enter");
  const column = (model) => page.getByRole("region", { name: `Conversation with ${model}` });
  await column("base").getByLabel("Answered by base").waitFor();
  await column("ticket-triage").getByLabel("Answered by ticket-triage@1").waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
  const answers = await page.getByRole("article").allInnerTexts();
  assert.match(answers[1], /billing/);
  assert.match(answers[1], /TTFT [\d.]+ m?s/);
  assert.match(answers[1], /\d+ out/);
  assert.notEqual(answers[0], answers[1]);

  // A second turn knows the first.
  await page.getByLabel("Message").fill("And the parcel is late.");
  await page.getByRole("button", { name: "Send" }).click();
  await page.waitForFunction(() => document.querySelectorAll("article[aria-busy=false]").length === 4);
});

step("a request is copied as code, without the key", async () => {
  await page.getByRole("button", { name: "Copy as code" }).click();
  await page.getByText("Python", { exact: true }).click();
  await page.getByRole("button", { name: "Copy the code" }).click();
  const code = await clipboard(page);
  assert.match(code, /api_key=os\.environ\["TENORA_API_KEY"\]/);
  assert.ok(!code.includes("tk_"));
  await page.keyboard.press("Escape");
});

step("an answer is stopped", async () => {
  await page.goto("/dashboard/playground?models=base");
  // The demo's model would be done before anybody can stop it.
  await page.route("**/v1/chat/completions", (route) =>
    setTimeout(() => route.continue().catch(() => undefined), 3000),
  );
  await page.getByLabel("Message").fill("Tell me a long story.");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped before the first token.").waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
  await page.unroute("**/v1/chat/completions");
});

step("a version is promoted, and rolled back", async () => {
  const latest = async () => (await server.api(server.key("acme"), "GET", "/v1/adapters/voice")).latest;
  await page.goto("/dashboard/adapters/voice");
  await page.getByRole("button", { name: "Actions for voice@2" }).click();
  await page.getByRole("menuitem", { name: "Promote…" }).click();
  await page.getByRole("button", { name: "Promote", exact: true }).click();
  await page.getByText("voice@latest is @2 now.").waitFor();
  assert.equal(await latest(), 2);

  await page.getByRole("tab", { name: "Aliases" }).click();
  await page.getByRole("button", { name: "History of voice@latest" }).click();
  await page.getByRole("row", { name: /^1 @1/ }).getByRole("button", { name: "Roll back to this" }).click();
  await page.getByRole("button", { name: "Yes, back to @1" }).click();
  await page.getByText("voice@latest is back to @1.").waitFor();
  assert.equal(await latest(), 1);
});

step("an alias shares requests by weight, and a faster colleague is not overwritten unseen", async () => {
  const own = server.key("acme");
  await page.goto("/dashboard/adapters/voice?tab=aliases");
  await page.getByRole("button", { name: "New alias" }).click();
  await page.getByLabel("Name", { exact: true }).fill("prod");
  await page.getByRole("button", { name: "Share with another version" }).click();
  await page.getByLabel("Weight 1").fill("9");
  await page.getByRole("button", { name: "Create alias" }).click();
  await page.getByText("voice@prod is @2 90% · @1 10% now.").waitFor();

  await page.getByRole("button", { name: "Move voice@prod" }).click();
  await page.getByLabel("Weight 2").fill("9");
  await server.api(own, "PUT", "/v1/adapters/voice/aliases/prod", { version: 1 });
  await page.getByRole("button", { name: "Move", exact: true }).last().click();
  await page.getByText("Somebody else has changed it meanwhile").waitFor();
  await page.getByText("voice@prod is @1 now (revision 2").waitFor();
  await page.getByRole("button", { name: "Replace it with mine" }).click();
  await page.getByText("voice@prod is @2 50% · @1 50% now.").waitFor();
});

step("a version is disabled with its reason, and the adapter deleted", async () => {
  await page.goto("/dashboard/adapters/voice");
  await page.getByRole("button", { name: "Actions for voice@2" }).click();
  await page.getByRole("menuitem", { name: "Disable…" }).click();
  await page.getByLabel("Reason").fill("wrong tone");
  await page.getByRole("button", { name: "Disable", exact: true }).click();
  await page.getByText("voice@2 is out of service.").waitFor();
  const version = await server.api(server.key("acme"), "GET", "/v1/adapters/voice/versions/2");
  assert.equal(version.disabled_reason, "wrong tone");

  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByLabel("Type voice to confirm").fill("voice");
  await page.getByRole("button", { name: "Delete this adapter" }).click();
  await page.getByText("voice is deleted.").waitFor();
  await page.getByRole("link", { name: "ticket-triage" }).waitFor();
});

step("usage shows the adapter", async () => {
  await page.goto("/dashboard/usage");
  await page.getByText("ticket-triage@1").first().waitFor();
});

step("usage of one adapter is asked of the server, and downloaded", async () => {
  const row = (name) => page.getByRole("region", { name: "Usage by group" }).getByRole("row", { name });
  await row(/^base/).waitFor();
  const only = page.getByLabel("Only this adapter");
  const asked = page.waitForRequest((request) => {
    const { pathname, searchParams } = new URL(request.url());
    return pathname === "/v1/usage" && searchParams.get("models") === "ticket-triage";
  });
  await only.fill("ticket-triage");
  await only.press("Enter");
  assert.ok(new URL((await asked).url()).searchParams.has("top"));
  await row(/^base/).waitFor({ state: "hidden" });
  await row(/^ticket-triage@1/).waitFor();
  assert.match(page.url(), /model=ticket-triage/);

  const download = page.getByRole("button", { name: "Download CSV" });
  const [file] = await Promise.all([page.waitForEvent("download"), download.click()]);
  assert.match(file.suggestedFilename(), /^usage-[\d-]+-by-model\.csv$/);
  const [head, ...lines] = (await readFile(await file.path(), "utf8")).trimEnd().split("\r\n");
  assert.match(head, /,requests,failed_requests,/);
  assert.ok(lines.length > 0);
  assert.ok(lines.every((line) => line.includes(",ticket-triage@1,")));
  await download.waitFor();

  await only.fill("nobody");
  await only.press("Enter");
  await page.getByText("Nothing of that was used in this time").waitFor();
});

step("nothing of other tenants is there, in the pages and in the API", async () => {
  await page.goto("/dashboard/adapters");
  await page.getByRole("link", { name: "ticket-triage" }).waitFor();
  assert.equal(await page.getByText("text-to-sql").count(), 0);
  await page.goto("/dashboard/adapters/text-to-sql");
  await page.getByText("There is no adapter text-to-sql").waitFor();
  // With its own cookie, as a script on the page could ask.
  const statuses = await page.evaluate(async () => {
    const paths = [
      "/v1/adapters/text-to-sql",
      "/v1/models/text-to-sql",
      "/admin/v1/tenants",
      "/admin/v1/tenants/globex/keys",
      "/admin/v1/audit",
      "/admin/v1/usage?start_time=1",
      "/admin/v1/live",
    ];
    return Promise.all(paths.map(async (path) => [path, (await fetch(path)).status]));
  });
  for (const [route, status] of statuses) assert.ok([401, 403, 404].includes(status), `${route}: ${status}`);
  const models = await page.evaluate(async () =>
    (await (await fetch("/v1/models")).json()).data.map(({ id }) => id),
  );
  assert.deepEqual(models, ["base", "ticket-triage"]);
});

step("a key that may only chat has the playground, and nothing else", async () => {
  const made = await server.admin("POST", "/tenants/acme/keys", { name: "chat", scopes: ["chat"] });
  const chat = await open(browser, server);
  await signIn(chat, made.key);
  await chat.waitForURL("**/dashboard/playground");
  const pages = await chat.getByRole("navigation", { name: "Pages" }).getByRole("link").allInnerTexts();
  assert.deepEqual(pages, ["Playground"]);
  await chat
    .getByRole("combobox", { name: "Model" })
    .or(chat.getByLabel("Model", { exact: true }))
    .first()
    .fill("ticket-triage@1");
  await chat.getByLabel("Message").fill("I was charged twice for my order.");
  await chat.getByRole("button", { name: "Send" }).click();
  await chat.getByLabel("Answered by ticket-triage@1").waitFor();
  // What the menu does not offer is not opened by its address either.
  await chat.goto("/dashboard/adapters");
  await chat
    .getByText(/Not allowed|may not/)
    .first()
    .waitFor();
  await chat.context().close();
});

step("a change without the session's token is refused", async () => {
  const { status, code } = await page.evaluate(async () => {
    const answer = await fetch("/v1/adapters/ticket-triage", { method: "DELETE" });
    return { status: answer.status, code: (await answer.json()).error.code };
  });
  assert.equal(status, 403);
  assert.equal(code, "csrf_token_missing");
});

step("nothing broke on the way, and the policy forbade nothing", () => assertCalm(page));
