// Debian's Chromium, and what a person does in it.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

/** What a test waits for at most; the server is this machine's. */
const PATIENCE_MS = 15_000;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
}

/** A tab of its own, whose errors fail the test that looks at them: `assertCalm`. */
export async function open(browser, server, { scheme = "dark", width = 1280, height = 800 } = {}) {
  const context = await browser.newContext({
    baseURL: server.url,
    colorScheme: scheme,
    viewport: { width, height },
  });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    // What the policy forbids, and what React complains of. Refused requests are tested by what the page says.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      page.faults.push(message.text());
    }
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url) && !/^(data|blob):/.test(request.url())) {
      page.faults.push(`a request to a third party: ${request.url()}`);
    }
  });
  return page;
}

export function assertCalm(page) {
  assert.deepEqual(page.faults, []);
}

/** Asks until `check` no longer throws, as a page takes its time; its last failure is told. */
export async function eventually(check) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function signIn(page, key) {
  await page.goto("/dashboard");
  await page.getByLabel("Key", { exact: true }).fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation").first().waitFor();
}

/** Files or folders of this machine, dropped from outside the browser as a person does. */
export async function drop(page, target, paths) {
  await target.scrollIntoViewIfNeeded();
  const box = await target.boundingBox();
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"])
    await session.send("Input.dispatchDragEvent", { type, ...at, data });
  await session.detach();
}

export async function clipboard(page) {
  return page.evaluate(() => navigator.clipboard.readText());
}

export async function signOut(page) {
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
}
