// A gateway before vLLM servers: they are seen on the overview, and one is taken out and in again.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import { assertCalm, launch, open, signIn } from "./lib/browser.mjs";
import { chat } from "./lib/pages.mjs";
import { Server } from "./lib/server.mjs";
import { steps } from "./lib/steps.mjs";

let servers = [];
let server, folder, browser, page, viewer;
const step = steps(() => page);

/** The stand-in that the Rust suites use lies beside the binary. */
async function standIn() {
  const binary = path.join(path.dirname(process.env.TENORA_TEST_BINARY), "vllm-stand-in");
  const child = spawn(binary, ["127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  const [url] = await once(createInterface({ input: child.stdout }), "line");
  return { child, url };
}

before(async () => {
  servers = await Promise.all([standIn(), standIn()]);
  folder = await mkdtemp(path.join(tmpdir(), "tenora-vllm-"));
  server = await Server.start({
    TENORA_ENGINE: "vllm",
    TENORA_VLLM_SERVERS: servers.map(({ url }) => url).join(","),
    TENORA_VLLM_MODEL: "standin-base",
    TENORA_VLLM_ADAPTER_DIR: folder,
  });
  browser = await launch();
  page = await open(browser, server);
  await signIn(page, server.credentials.admin_key);
  viewer = await open(browser, server);
  await signIn(viewer, server.viewerKey);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  for (const { child } of servers) child.kill();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const row = (of, { url }) => of.getByRole("region", { name: "vLLM servers" }).getByRole("row", { name: url });

step("the servers are seen, and what they answer is a tenant's as ever", async () => {
  await row(page, servers[0]).getByText("Serving").waitFor();
  await row(page, servers[1]).getByText("Serving").waitFor();
  const answer = await chat(server, server.key("acme"), "ticket-triage");
  assert.match(JSON.stringify(answer), /ticket-triage@1/);
});

step("one is drained, and takes requests again", async () => {
  await row(page, servers[0]).getByRole("button", { name: "Drain" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
  await row(page, servers[0]).getByText("Draining").waitFor();
  await chat(server, server.key("acme"), "ticket-triage");
  await row(page, servers[0]).getByRole("button", { name: "Resume" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await row(page, servers[0]).getByText("Serving").waitFor();
});

step("one that is killed is told, and who may only look has no button", async () => {
  servers[1].child.kill("SIGKILL");
  await row(viewer, servers[1]).getByText("Unreachable").waitFor();
  assert.equal(await viewer.getByRole("button", { name: "Drain" }).count(), 0);
});

step("nothing broke on the way", async () => {
  assertCalm(page);
  assertCalm(viewer);
});
