// A large upload survives a lost connection and a reload: what has arrived is not sent again.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { assertCalm, drop, launch, open, signIn } from "./lib/browser.mjs";
import { demo, Server } from "./lib/server.mjs";
import { steps } from "./lib/steps.mjs";

/** Three parts of the dashboard's size. */
const BYTES = 20 * 2 ** 20;
const PARTS = "**/v1/uploads/*/parts";

let server, browser, page, folder;
const step = steps(() => page);
const dropZone = () => page.getByRole("group", { name: "Upload an adapter" });

before(async () => {
  server = await Server.start();
  browser = await launch();
  page = await open(browser, server);
  folder = path.join(await mkdtemp(path.join(tmpdir(), "tenora-dashboard-")), "large");
  await mkdir(folder);
  await copyFile(
    path.join(demo, "adapters/brand-voice/adapter_config.json"),
    path.join(folder, "adapter_config.json"),
  );
  // Noise that says at once what it is not.
  const noise = randomBytes(BYTES);
  noise.write("<!doctype html>");
  await writeFile(path.join(folder, "adapter_model.safetensors"), noise);
  await signIn(page, server.key("acme"));
});
after(async () => {
  await browser?.close();
  await server?.stop();
  if (folder) await rm(path.dirname(folder), { recursive: true, force: true });
});

const arrived = async () => {
  const { data } = await server.api(server.key("acme"), "GET", "/v1/uploads?status=pending");
  if (data.length === 0) return [];
  return (await server.api(server.key("acme"), "GET", `/v1/uploads/${data[0].id}/parts`)).data;
};

step("a lost connection is waited out", async () => {
  await page.goto("/dashboard/adapters");
  let failures = 0;
  await page.route(PARTS, (route) => {
    if (route.request().method() !== "POST") return route.continue();
    // The second part never arrives.
    if (route.request().postDataBuffer()?.includes("\r\n\r\n2\r\n")) {
      failures += 1;
      return route.abort("connectionreset");
    }
    return route.continue();
  });
  await drop(page, dropZone(), [folder]);
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.getByText("It goes on by itself when the server answers.").waitFor();
  while ((await arrived()).length < 2) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(failures > 0);
});

step("after a reload the rest is sent, and nothing twice", async () => {
  page.once("dialog", (dialog) => void dialog.accept());
  await page.unroute(PARTS);
  await page.reload();
  await page.getByText("An upload was not finished").waitFor();
  await page.getByText("12.0 MiB of 20.0 MiB (60%)").waitFor();

  const sent = [];
  page.on("request", (request) => {
    if (request.method() === "POST" && /\/uploads\/[^/]+\/parts$/.test(request.url()))
      sent.push(request.url());
  });
  await drop(page, dropZone(), [folder]);
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.getByText("12.0 MiB were there from an earlier try").waitFor();
  // That it is refused for what it holds shows that it arrived whole.
  await page.getByText("adapter_not_safetensors").waitFor();
  assert.equal(sent.length, 1);
});

step("an upload is given up, and its room with it", async () => {
  const own = server.key("acme");
  await server.api(own, "POST", "/v1/uploads", { filename: "weights", bytes: 1000 });
  await page.goto("/dashboard/adapters");
  await page.getByRole("button", { name: "Give it up" }).click();
  await page.getByText("An upload was not finished").waitFor({ state: "hidden" });
  assert.deepEqual(await arrived(), []);
});

step("nothing broke on the way, and the policy forbade nothing", () => assertCalm(page));
