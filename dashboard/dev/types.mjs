// Fetches the API's document from a running server, keeps it, and makes src/api/schema.ts from it.
// TENORA_URL says which server; `--offline` uses the document that is kept.
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const kept = "src/api/openapi.json";
const url = process.env.TENORA_URL ?? "http://127.0.0.1:8080";
if (!process.argv.includes("--offline")) {
  const answer = await fetch(`${url}/openapi.json`);
  if (!answer.ok) throw new Error(`${url}/openapi.json answered ${answer.status}`);
  writeFileSync(kept, `${JSON.stringify(await answer.json(), null, 1)}\n`);
}

const document = JSON.parse(readFileSync(kept, "utf8"));
// Types are found by path. Names of operations would only make a second copy, and are not all different.
for (const path of Object.values(document.paths))
  for (const route of Object.values(path)) delete route.operationId;
const note = "// Made by `npm run types` from openapi.json. Do not edit.\n\n";
writeFileSync("src/api/schema.ts", note + astToString(await openapiTS(document)));
