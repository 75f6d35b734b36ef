// Serves dist/ as the server does, with its policy, and forwards all else to a running server: a build is tried
// without building the binary anew. TENORA_URL: the server; DIST and PORT: what is served, and where.
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import { extname } from "node:path";

const upstream = new URL(process.env.TENORA_URL ?? "http://127.0.0.1:8080");
const dist = process.env.DIST ?? "dist/app";
const port = Number(process.env.PORT ?? 18081);
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const types = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html" };

function file(res, path) {
  const name = path.startsWith("/dashboard/assets/")
    ? dist + path.slice("/dashboard".length)
    : `${dist}/index.html`;
  if (!existsSync(name)) return res.writeHead(404).end();
  res.writeHead(200, {
    "content-type": types[extname(name)] ?? "text/plain",
    "content-security-policy": policy,
  });
  return res.end(readFileSync(name));
}

function forward(req, res) {
  const headers = { ...req.headers, host: upstream.host };
  const to = http.request(new URL(req.url, upstream), { method: req.method, headers }, (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    answer.pipe(res);
  });
  to.on("error", () => res.destroy());
  res.on("close", () => to.destroy());
  req.pipe(to);
}

http
  .createServer((req, res) => {
    const { pathname } = new URL(req.url, "http://dashboard");
    return pathname.startsWith("/dashboard") ? file(res, pathname) : forward(req, res);
  })
  .listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/dashboard`));
