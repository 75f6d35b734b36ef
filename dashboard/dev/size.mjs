// Fails when a first visit loads more than 300 kB: everything that index.html names, and the page behind
// the sign-in with all that it imports.
import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

const limit = 300_000;
const first = ["overview", "sign-in"];
const assets = readdirSync("dist/app/assets");
const html = readFileSync("dist/app/index.html", "utf8");
const names = new Set();

function add(name) {
  if (names.has(name) || !assets.includes(name)) return;
  names.add(name);
  if (!name.endsWith(".js")) return;
  const text = readFileSync(`dist/app/assets/${name}`, "utf8");
  for (const [, found] of text.matchAll(/(?:from|import)\s*["']\.\/([\w.-]+)["']/g)) add(found);
}

for (const [, name] of html.matchAll(/(?:src|href)="\/dashboard\/assets\/([^"]+)"/g)) add(name);
for (const page of first) for (const name of assets) if (name.startsWith(`${page}-`)) add(name);

let total = 0;
for (const name of names) {
  const bytes = gzipSync(readFileSync(`dist/app/assets/${name}`)).length;
  total += bytes;
  console.log(`${(bytes / 1000).toFixed(1).padStart(7)} kB  ${name}`);
}
console.log(`${(total / 1000).toFixed(1).padStart(7)} kB  first load, of ${limit / 1000}`);
if (total > limit) process.exit(1);
