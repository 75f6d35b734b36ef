// A server with the demo model, on a free port, with a data folder of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { front } from "./front.mjs";

export const root = fileURLToPath(new URL("../../../", import.meta.url));
export const demo = path.join(root, "demo");
const START_MS = 60_000;

export class Server {
  /** Of an operator who may only look. */
  viewerKey = "a-viewers-key-that-is-long-enough-to-be-taken";

  /** With TENORA_TEST_DIST, files that were built there stand in for those within the binary. */
  static async start(settings = {}, command = ["serve", "--demo", demo]) {
    const server = new Server();
    server.settings = settings;
    server.command = command;
    server.data = await mkdtemp(path.join(tmpdir(), "tenora-dashboard-"));
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    if (process.env.TENORA_TEST_DIST) {
      server.port = await freePort();
      server.front = await front(process.env.TENORA_TEST_DIST, new URL(server.url).port, server.port);
    }
    await server.run();
    return server;
  }

  /** On the same port, with the same data. */
  async run() {
    // None of the caller's settings: a database of theirs would be written to.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("TENORA_")),
    );
    Object.assign(
      env,
      {
        TENORA_LISTEN: `127.0.0.1:${this.port}`,
        TENORA_DATA_DIR: this.data,
        TENORA_LOG: "warn",
        TENORA_VIEWER_KEY: this.viewerKey,
      },
      this.settings,
    );
    this.child = spawn(process.env.TENORA_TEST_BINARY, this.command, {
      env,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const written = path.join(this.data, "demo-credentials.json");
    const isDemo = this.command.includes("--demo");
    const answers = async () =>
      (!isDemo || existsSync(written)) && (await fetch(`${this.url}/readyz`)).ok;
    const end = Date.now() + START_MS;
    while (!(await answers().catch(() => false))) {
      if (this.child.exitCode !== null || Date.now() > end) throw new Error("the demo did not start");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    this.credentials = isDemo ? JSON.parse(await readFile(written, "utf8")) : {};
  }

  async halt() {
    if (!this.child || this.child.exitCode !== null) return;
    this.child.kill("SIGTERM");
    await once(this.child, "exit");
  }

  async stop() {
    this.front?.close();
    this.front?.closeAllConnections();
    await this.halt();
    if (this.data) await rm(this.data, { recursive: true, force: true });
  }

  key(slug) {
    return this.credentials.tenants.find((tenant) => tenant.slug === slug).api_key;
  }

  /** A request with a key, as the API's own clients make it. */
  async api(key, method, route, body) {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const answer = await fetch(`${this.url}${route}`, {
      method,
      headers,
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  admin(method, route, body) {
    return this.api(this.credentials.admin_key, method, `/admin/v1${route}`, body);
  }
}

async function freePort() {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}
