// For work on the dashboard: stands before a server, adds what an older one lacks (sessions, live numbers,
// the operator's view of adapters) from made-up or forwarded answers, and serves dist/ as the server would.
// UPSTREAM: the server. CREDENTIALS: its demo-credentials.json. DIST and PORT: what is served, and where. Not part of what is built.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import { extname } from "node:path";

const upstream = new URL(process.env.UPSTREAM ?? "http://127.0.0.1:18080");
const credentials = JSON.parse(readFileSync(process.env.CREDENTIALS, "utf8"));
const csp =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const dist = process.env.DIST ?? "dist";
const port = Number(process.env.PORT ?? 18081);
const sessions = new Map();

const fail = (res, status, code, message) => {
  res.writeHead(status, {
    "content-type": "application/json",
    "x-request-id": `req_${randomBytes(8).toString("hex")}`,
  });
  res.end(JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code } }));
};
const json = (res, body, headers = {}) => {
  res.writeHead(200, { "content-type": "application/json", ...headers });
  res.end(JSON.stringify(body));
};
const ask = (path, key) => fetch(new URL(path, upstream), { headers: { authorization: `Bearer ${key}` } });
const body = async (req) => Buffer.concat(await req.toArray());

async function session(key) {
  if ((await ask("/admin/v1/tenants?limit=1", key)).ok) {
    return { role: "admin", tenant: null, scopes: [], key: null, base_model: "base" };
  }
  const answer = await ask("/v1/me", key);
  if (!answer.ok) return null;
  const me = await answer.json();
  const tenant = { slug: me.tenant, name: me.tenant_name };
  return {
    role: "tenant",
    tenant,
    scopes: me.scopes,
    key: { id: me.key_id, name: "demo" },
    base_model: me.base_model,
  };
}

async function sessionRoute(req, res, known) {
  if (req.method === "GET")
    return known ? json(res, known.session) : fail(res, 401, "invalid_api_key", "You are not signed in.");
  if (req.method === "DELETE") {
    if (known) sessions.delete(known.id);
    res.writeHead(204, { "set-cookie": "tenora_session=; Path=/; Max-Age=0" });
    return res.end();
  }
  const { key } = JSON.parse((await body(req)).toString());
  const found = await session(key);
  if (!found) return fail(res, 401, "invalid_api_key", "The key is unknown, revoked or has ended.");
  const id = randomBytes(16).toString("hex");
  const life = Number(process.env.SESSION_S ?? 43200);
  const made = {
    object: "session",
    csrf: randomBytes(8).toString("hex"),
    expires_at: Math.floor(Date.now() / 1000) + life,
    ...found,
  };
  sessions.set(id, { id, key, session: made });
  return json(res, made, {
    "set-cookie": `tenora_session=${id}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${life}`,
  });
}

const wave = (at, period, low, high) =>
  low + ((high - low) * (1 + Math.sin((at / period) * 2 * Math.PI))) / 2;
const noise = (scale) => (Math.random() - 0.5) * scale;

function point(at) {
  const requests = Math.max(0, Math.round(wave(at, 1700, 20, 90) + noise(20)));
  const quiet = at % 1800 < 120;
  return {
    at,
    seconds: 10,
    requests: quiet ? 0 : requests,
    errors: at % 900 < 60 ? Math.round(requests / 12) : 0,
    input_tokens: requests * 40,
    output_tokens: requests * 62,
    ttft_ms: quiet
      ? { p50: null, p99: null }
      : { p50: wave(at, 1300, 40, 110) + noise(10), p99: wave(at, 1100, 160, 420) + noise(60) },
    gap_ms: quiet
      ? { p50: null, p99: null }
      : { p50: wave(at, 900, 9, 16) + noise(2), p99: wave(at, 800, 24, 60) + noise(8) },
    running: quiet ? 0 : Math.round(wave(at, 1700, 2, 14)),
    waiting: at % 900 < 60 ? 5 : 0,
  };
}

function nowOf(at, tenant) {
  const p = point(at);
  const names = credentials.tenants.flatMap((t) =>
    t.adapters.map((adapter) => ({ tenant: t.slug, adapter })),
  );
  const resident = names.map((name, i) => ({
    ...name,
    version: 1,
    digest: `sha256:${String(i).repeat(64)}`,
    bytes: 679880 + i * 4096,
    in_use: i !== 1,
  }));
  const mine = tenant ? resident.filter((one) => one.tenant === tenant) : resident;
  return {
    at,
    requests_per_s: p.requests / 10,
    errors_per_s: p.errors / 10,
    input_tokens_per_s: p.input_tokens / 10,
    output_tokens_per_s: p.output_tokens / 10,
    ttft_ms: p.ttft_ms,
    gap_ms: p.gap_ms,
    running: p.running,
    waiting: p.waiting,
    batch: tenant ? null : { rows: p.running * 1.2, adapters: Math.min(3, p.running) },
    kv: { blocks: 4096, used: tenant ? null : p.running * 90, block_tokens: 16 },
    adapters: {
      bytes: tenant ? null : 2_100_000,
      limit_bytes: 1 << 30,
      loading: 0,
      waiting: 0,
      resident: mine,
    },
    tenants: tenant
      ? []
      : credentials.tenants.map((t, i) => ({
          slug: t.slug,
          requests_per_s: p.requests / (10 * (i + 2)),
          output_tokens_per_s: p.output_tokens / 10 / (i + 2),
          running: Math.max(0, p.running - i * 4),
          waiting: i === 0 ? p.waiting : 0,
        })),
    ready: {
      status: "ok",
      checks: {
        model: "ok",
        database: "ok",
        blobs: "ok",
        limits: "ok",
        metering: "ok",
        redis: "unused",
        telemetry: "unused",
      },
    },
  };
}

function live(req, res, known) {
  const tenant = known.session.tenant?.slug ?? null;
  const seconds = () => Math.floor(Date.now() / 1000);
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = (event, value) => res.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
  const start = Math.floor(seconds() / 10) * 10;
  send("history", { points: Array.from({ length: 360 }, (_, i) => point(start - (360 - i) * 10)) });
  const timer = setInterval(() => send("now", nowOf(seconds(), tenant)), 1000);
  req.on("close", () => clearInterval(timer));
}

async function tenants(res, known, url) {
  const { q = "", order = "slug", limit = "20", after } = Object.fromEntries(url.searchParams);
  const all = [];
  for (let more = true; more;) {
    const page = await (
      await ask(`/admin/v1/tenants?limit=100${all.length ? `&after=${all.at(-1).slug}` : ""}`, known.key)
    ).json();
    all.push(...page.data);
    more = page.has_more;
  }
  const key = order.replace("-", "");
  const sign = order.startsWith("-") ? -1 : 1;
  const found = all
    .filter((t) => `${t.slug} ${t.name}`.toLowerCase().includes(q.toLowerCase()))
    .sort((a, b) => sign * (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0));
  const from = after ? found.findIndex((t) => t.slug === after) + 1 : 0;
  const data = found.slice(from, from + Number(limit));
  json(res, {
    object: "list",
    data,
    first_id: data[0]?.slug ?? null,
    last_id: data.at(-1)?.slug ?? null,
    has_more: from + data.length < found.length,
  });
}

function forward(req, res, key, path) {
  const headers = { ...req.headers, host: upstream.host };
  delete headers.cookie;
  if (key) headers.authorization = `Bearer ${key}`;
  const to = http.request(new URL(path, upstream), { method: req.method, headers }, (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    answer.pipe(res);
  });
  to.on("error", () =>
    res.headersSent ? res.destroy() : fail(res, 503, "unavailable", "The server is not there."),
  );
  res.on("close", () => to.destroy());
  req.pipe(to);
}

const types = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".html": "text/html; charset=utf-8",
};
function files(res, path) {
  const file = path.startsWith("/dashboard/assets/")
    ? path.replace("/dashboard", dist)
    : `${dist}/index.html`;
  if (!existsSync(file)) return fail(res, 404, "route_not_found", "No such file.");
  res.writeHead(200, {
    "content-type": types[extname(file)] ?? "application/octet-stream",
    "content-security-policy": csp,
  });
  return res.end(readFileSync(file));
}

http
  .createServer(async (req, res) => {
    const url = new URL(req.url, "http://mock");
    const path = url.pathname;
    const id = /tenora_session=(\w+)/.exec(req.headers.cookie ?? "")?.[1];
    const known = sessions.get(id);
    if (path.startsWith("/dashboard")) return files(res, path);
    if (
      known &&
      !["GET", "HEAD"].includes(req.method) &&
      req.headers["x-csrf-token"] !== known.session.csrf
    ) {
      return fail(res, 403, "csrf_token_missing", "The header `x-csrf-token` is missing or wrong.");
    }
    if (path === "/session") return sessionRoute(req, res, known);
    if (known && /^\/(admin\/)?v1\/live$/.test(path)) return live(req, res, known);
    if (known && path === "/admin/v1/tenants" && req.method === "GET") return tenants(res, known, url);
    const adapters = /^\/admin\/v1\/tenants\/([^/]+)\/(adapters.*)$/.exec(path);
    if (known && adapters) {
      const tenant = credentials.tenants.find((t) => t.slug === adapters[1]);
      if (!tenant)
        return json(res, { object: "list", data: [], first_id: null, last_id: null, has_more: false });
      return forward(req, res, tenant.api_key, `/v1/${adapters[2]}${url.search}`);
    }
    return forward(req, res, known?.key, req.url);
  })
  .listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/dashboard`));
