// For work on the pages: serves freshly built files in place of those within the binary, and hands everything else on to it.
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";

const TYPES = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".html": "text/html; charset=utf-8",
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Listens on `port`, stands before the server on `behind`. */
export function front(dist, port, behind) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://front");
    if (/^\/dashboard(\/|$)/.test(pathname)) file(dist, pathname, response);
    else forward(request, response, behind);
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

function file(dist, pathname, response) {
  const named = path.join(dist, pathname.replace(/^\/dashboard\/?/, ""));
  const found = pathname.startsWith("/dashboard/assets/") ? named : path.join(dist, "index.html");
  if (!existsSync(found)) return response.writeHead(404).end();
  response.writeHead(200, {
    "content-type": TYPES[path.extname(found)] ?? "application/octet-stream",
    "content-security-policy": POLICY,
  });
  response.end(readFileSync(found));
}

function forward(request, response, port) {
  const { url, method, headers } = request;
  const onward = http.request({ host: "127.0.0.1", port, path: url, method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
    answer.on("error", () => response.destroy());
  });
  // A server that is away: the browser sees a broken connection, as it would without this.
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}
