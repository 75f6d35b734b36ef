// The rules of adapters, limits, uploads and the playground that need no browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { loader } from "./load.mjs";

let modules;
let limits, parts, files, refusals, sse, snippets, targets, settings, usage, adapters;
before(async () => {
  // The API's client asks for the page's address as it is loaded.
  globalThis.location ??= new URL("http://127.0.0.1/dashboard");
  modules = await loader();
  limits = await modules.load("/src/parts/limits/limits.ts");
  parts = await modules.load("/src/parts/upload/parts.ts");
  files = await modules.load("/src/parts/upload/files.ts");
  refusals = await modules.load("/src/parts/report/refusals.ts");
  sse = await modules.load("/src/pages/playground/sse.ts");
  snippets = await modules.load("/src/pages/playground/snippets.ts");
  settings = await modules.load("/src/pages/playground/settings.ts");
  usage = await modules.load("/src/parts/adapters/modelUsage.ts");
  adapters = await modules.load("/src/parts/adapters/useAdapters.ts");
  targets = await modules.load("/src/pages/adapter/targets.ts");
});
after(() => modules.close());

test("limits are typed and read without loss", () => {
  const all = {
    requests_per_minute: 600,
    monthly_tokens: "unlimited",
    adapter_bytes: 10 * 2 ** 30,
    adapter_rank: 0,
  };
  assert.deepEqual(limits.limitsOf(limits.draftsOf(all)), { limits: all });
  for (const bytes of [1, 1023, 1024, 2 ** 40, 10_000_000]) {
    assert.deepEqual(limits.limitsOf(limits.draftsOf({ adapter_bytes: bytes })), {
      limits: { adapter_bytes: bytes },
    });
  }
  const typed = (name, text) => limits.limitsOf({ [name]: { kind: "number", text } });
  assert.deepEqual(typed("adapter_bytes", "1.5 gib"), { limits: { adapter_bytes: 1.5 * 2 ** 30 } });
  assert.deepEqual(typed("monthly_tokens", "50,000,000"), { limits: { monthly_tokens: 50_000_000 } });
  for (const text of ["", "many", "-1", "1.5", "10 GiB", "1e9", "9".repeat(20)]) {
    assert.deepEqual(typed("monthly_tokens", text), { wrong: "monthly_tokens" }, text);
  }
});

test("the server's default is told as what it is", () => {
  const [requests] = limits.REQUEST_LIMITS;
  const bytes = limits.ADAPTER_LIMITS.find((limit) => limit.bytes);
  const defaults = { requests_per_minute: 6000, adapter_bytes: null };
  assert.equal(limits.defaultText(requests, defaults), "Server default: 6,000");
  assert.equal(limits.defaultText(bytes, defaults), "Server default: unlimited");
  assert.equal(limits.defaultText(bytes, { adapter_bytes: 2 ** 30 }), "Server default: 1.0 GiB");
  assert.equal(limits.defaultText(requests, undefined), "Server default");
});

test("parts cover a file, within the server's limits", () => {
  for (const bytes of [1, 8 * 2 ** 20, 8 * 2 ** 20 + 1, 2 ** 30, 200 * 2 ** 30]) {
    const cut = parts.ranges(bytes);
    assert.ok(cut.length <= 10_000);
    assert.ok(cut.every(({ start, end }) => end > start && end - start <= parts.MAX_PART_BYTES));
    assert.equal(cut[0].start, 0);
    assert.equal(cut.at(-1).end, bytes);
    cut.slice(1).forEach((range, index) => assert.equal(range.start, cut[index].end));
    assert.deepEqual(cut.map(({ number }) => number).slice(0, 3), [1, 2, 3].slice(0, cut.length));
  }
});

const file = (path, text) => ({ path, file: new File([text], path.split("/").at(-1)) });
const WEIGHTS = "adapter_model.safetensors";

test("a dropped folder is read, and suggests a name that can be", async () => {
  const config = '{"r": 16, "base_model_name_or_path": "some/base"}';
  const found = [
    file("My Runs/Ticket Triage!/adapter_config.json", config),
    file(`My Runs/Ticket Triage!/${WEIGHTS}`, "x"),
  ];
  const adapter = await files.adapterOf(found);
  assert.equal(adapter.config, config);
  assert.equal(adapter.suggestedName, "ticket-triage");
  assert.equal(adapter.rank, 16);
  assert.equal(adapter.baseModel, "some/base");
});

test("what cannot be an adapter is told in words", async () => {
  const config = file("out/adapter_config.json", "{}");
  const cases = [
    [[config], /safetensors is missing/],
    [[config, file("out/adapter_model.bin", "x")], /adapter_model.bin is not served/],
    [[config, file("out/model.safetensors", "x")], /has another name/],
    [[file("out/adapter_config.json", "{"), file(`out/${WEIGHTS}`, "x")], /not valid JSON/],
    [[config, file(`out/${WEIGHTS}`, "")], /is empty/],
    [
      [config, file("b/adapter_config.json", "{}"), file(`b/${WEIGHTS}`, "x")],
      /more than one adapter_config/,
    ],
  ];
  for (const [found, words] of cases) await assert.rejects(files.adapterOf(found), words);
});

test("every refusal of the documents is explained, and no other", () => {
  const document = readFileSync(new URL("../../docs/adapters.md", import.meta.url), "utf8");
  const table = document.slice(document.indexOf("## Refusals"));
  const codes = [...table.matchAll(/^\| `(adapter_\w+)`/gm)].map(([, code]) => code);
  assert.deepEqual(Object.keys(refusals.REFUSALS).sort(), codes.sort());
});

test("events are read wherever the network cuts them", async () => {
  const text = ': hello\n\ndata: {"a":"é"}\n\ndata: one\r\ndata: two\r\n\r\ndata: [DONE]\n\n';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.slice(at * size, (at + 1) * size),
    );
    const seen = [];
    for await (const data of sse.eventData(ReadableStream.from(pieces))) seen.push(data);
    // A carriage return at the end of a piece is not the end of an event yet.
    assert.deepEqual(seen, ['{"a":"é"}', "one\ntwo", "[DONE]"], `pieces of ${size}`);
  }
});

test("copied code holds what was asked, and no key", () => {
  const search = {
    system: 'Say "it\'s"\nbriefly',
    temperature: "0",
    max_tokens: "8",
    stop: "a\nb",
    seed: "",
  };
  const body = settings.bodyOf(search, "ticket-triage@1", [{ role: "user", content: "it's" }]);
  assert.deepEqual(body.stop, ["a", "b"]);
  assert.equal(body.temperature, 0);
  assert.equal("seed" in body, false);
  const code = (language) => snippets.snippet(language, "https://x.test", body);
  assert.ok(code("curl").includes(`it'\\''s`));
  assert.ok(code("python").includes("temperature=0,"));
  assert.ok(code("javascript").includes('model: "ticket-triage@1"'));
  for (const { value } of snippets.LANGUAGES) assert.ok(code(value).includes("TENORA_API_KEY"));
});

test("shares are told in words", () => {
  assert.equal(targets.shareWords([{ version: 3, weight: 1 }]), "@3");
  const words = targets.shareWords([
    { version: 1, weight: 999 },
    { version: 2, weight: 1 },
  ]);
  assert.equal(words, "@1 99.9% · @2 0.1%");
  assert.ok(targets.ALIAS.test("prod") && !targets.ALIAS.test("7") && !targets.ALIAS.test("Prod"));
});

test("an adapter's usage is that of all its versions, and what answered nothing has zeros", () => {
  const result = (model, requests, failed) => ({
    model,
    num_model_requests: requests,
    num_failed_requests: failed,
    input_tokens: requests * 10,
    input_cached_tokens: requests,
    output_tokens: requests * 5,
  });
  const found = usage.usageOf(
    ["triage", "voice"],
    [result("triage@1", 3, 1), result("triage@2", 2, 0), result("triage@1", 1, 1)],
  );
  assert.deepEqual(
    [...found].map(([name, { requests, failedRequests }]) => [name, requests, failedRequests]),
    [
      ["triage", 6, 2],
      ["voice", 0, 0],
      ["triage@1", 4, 2],
      ["triage@2", 2, 0],
    ],
  );
  assert.deepEqual(found.get("voice"), usage.NO_USAGE);
});

test("the server sorts by what it knows, and by name otherwise", () => {
  assert.equal(adapters.orderOf("-created_at"), "-created_at");
  for (const sort of [undefined, "requests", "name"]) assert.equal(adapters.orderOf(sort), "name");
});
