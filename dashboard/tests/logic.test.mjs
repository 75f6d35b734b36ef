// The pages' rules that need no browser.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { loader } from "./load.mjs";

let modules;
let csv, format, live, period, groups, file, sort, changes, session;
before(async () => {
  modules = await loader();
  csv = await modules.load("/src/parts/csv.ts");
  format = await modules.load("/src/parts/format.ts");
  live = await modules.load("/src/api/liveState.ts");
  period = await modules.load("/src/pages/usage/period.ts");
  groups = await modules.load("/src/pages/usage/groups.ts");
  file = await modules.load("/src/pages/usage/file.ts");
  sort = await modules.load("/src/parts/sort.ts");
  changes = await modules.load("/src/pages/audit/changes.ts");
  session = await modules.load("/src/api/permission.ts");
});
after(() => modules.close());

test("csv quotes what needs it, and ends lines with CR LF", () => {
  const text = csv.csv([
    ["a", "b"],
    ['say "hi", please', 1.5],
    ["two\nlines", null],
  ]);
  assert.equal(text, 'a,b\r\n"say ""hi"", please",1.5\r\n"two\nlines",\r\n');
});

test("csv disarms formulas in texts, and leaves negative numbers", () => {
  for (const start of ["=", "+", "-", "@", "\t"]) assert.ok(csv.csv([[`${start}1`]]).includes(`'${start}1`));
  assert.equal(csv.csv([["=a,b"]]), `"'=a,b"\r\n`);
  assert.equal(csv.csv([[-1]]), "-1\r\n");
});

test("numbers are written with as many digits as tell something", () => {
  assert.deepEqual([0, 0.04, 2, 2.345, 1234.5, 123456].map(format.rate), [
    "0",
    "0.04",
    "2",
    "2.3",
    "1,235",
    "123.5k",
  ]);
  assert.deepEqual([null, 0, 1.23, 456, 1234, 12345].map(format.millis), [
    "–",
    "0 ms",
    "1.2 ms",
    "456 ms",
    "1.23 s",
    "12.3 s",
  ]);
  assert.deepEqual([0, 1023, 1536, 2 ** 30].map(format.bytes), ["0 B", "1023 B", "1.5 KiB", "1.0 GiB"]);
  assert.deepEqual(
    [
      [0, 10],
      [1, 1000],
      [1, 3],
      [5, 0],
    ].map((pair) => format.percent(...pair)),
    ["0%", "<1%", "33%", "0%"],
  );
  assert.equal(format.compact(4_250_000), "4.3M");
  assert.equal(format.ago(0, 7200), "2 hours ago");
});

const now = (at) => ({
  at,
  requests_per_s: 2,
  errors_per_s: 0,
  input_tokens_per_s: 10,
  output_tokens_per_s: 20,
  ttft_ms: { p50: 1, p99: 2 },
  gap_ms: { p50: 1, p99: 2 },
  running: 3,
  waiting: 0,
});

test("the hour grows by a step for every ten seconds, and stays an hour long", () => {
  let state = live.reduce(live.nothing, { kind: "history", points: [{ at: 100 }] });
  for (let at = 110; at < 120; at += 1) state = live.reduce(state, { kind: "now", now: now(at) });
  assert.deepEqual(
    state.points.map((one) => one.at),
    [100],
  );
  state = live.reduce(state, { kind: "now", now: now(120) });
  state = live.reduce(state, { kind: "now", now: now(121) });
  assert.deepEqual(
    state.points.map((one) => one.at),
    [100, 110],
  );
  assert.equal(state.points[1].requests, 20);
  for (let at = 130; at < 10_000; at += 10) state = live.reduce(state, { kind: "now", now: now(at) });
  assert.equal(state.points.length, 360);
});

test("a lost line is told, what was known is kept, and the next event ends it", () => {
  const known = live.reduce(live.nothing, { kind: "now", now: now(100) });
  const lost = live.reduce(known, { kind: "lost" });
  assert.equal(lost.status, "reconnecting");
  assert.equal(lost.now.at, 100);
  assert.equal(live.reduce(lost, { kind: "now", now: now(105) }).status, "live");
});

test("ranges begin on a bucket's edge and hold as many buckets as they say", () => {
  const at = 1_795_672_801;
  const day = period.periodOf({ range: "24h" }, at);
  assert.equal(day.width, "1h");
  assert.equal(day.start % 3600, 0);
  assert.equal(Math.ceil((at - day.start) / 3600), 24);
  const week = period.periodOf({}, at);
  assert.equal(week.width, "1d");
  assert.equal(Math.ceil((at - week.start) / 86_400), 7);
  assert.equal(period.periodOf({ range: "90d", width: "1h" }, at).width, "1d");
});

test("chosen dates are whole days of UTC, and nonsense is the usual range", () => {
  const chosen = period.periodOf({ range: "days", from: "2026-11-01", until: "2026-11-02" }, 1_795_672_801);
  assert.equal(chosen.end - chosen.start, 2 * 86_400);
  assert.equal(period.dateOf(chosen.start), "2026-11-01");
  assert.equal(period.periodOf({ range: "days", from: "yesterday" }, 1_795_672_801).range, "7d");
});

const result = (project_id, model, requests) => ({
  project_id,
  model,
  api_key_id: null,
  others: false,
  num_model_requests: requests,
  num_failed_requests: 0,
  input_tokens: requests * 10,
  input_cached_tokens: requests,
  output_tokens: requests * 5,
});

test("buckets become groups, the largest first; equal names of two tenants stay two", () => {
  const buckets = [
    {
      start_time: 0,
      end_time: 10,
      results: [result("acme", "triage@1", 1), result("globex", "triage@1", 5)],
    },
    { start_time: 10, end_time: 20, results: [result("acme", "triage@1", 2)] },
  ];
  const found = groups.group(buckets, "requests");
  assert.deepEqual(
    found.map((one) => [one.tenant, one.values, one.output]),
    [
      ["globex", [5, 0], 25],
      ["acme", [1, 2], 15],
    ],
  );
  assert.deepEqual(groups.total(buckets), { requests: 8, failed: 0, input: 80, cached: 8, output: 40 });
  assert.deepEqual(groups.summed(found), [6, 2]);
});

test("what the server has not told apart is one group, the last, and never one with a colour", () => {
  const others = (requests) => ({ ...result(null, null, requests), others: true });
  // Two pages of the API, each with its own largest: together they are more than have a colour.
  const some = (from) => Array.from({ length: 5 }, (_, at) => result(`tenant-${from + at}`, null, 1 + at));
  const buckets = [
    { start_time: 0, end_time: 10, results: [others(100), ...some(0)] },
    { start_time: 10, end_time: 20, results: [...some(4), others(50)] },
  ];
  const found = groups.group(buckets, "requests");
  assert.equal(found.length, 10);
  assert.deepEqual(
    found.filter((one) => one.others).map((one) => [one.tenant, one.values, one.requests]),
    [[null, [100, 50], 150]],
  );
  assert.ok(found.at(-1).others);
  assert.equal(found[0].tenant, "tenant-4");
  const { own, rest } = groups.apart(found);
  assert.equal(own.length, groups.TOLD_APART);
  assert.ok(own.every((one) => !one.others));
  assert.equal(own.length + rest.length, found.length);
  const all = groups.summed(found);
  assert.deepEqual(groups.summed([...own, ...rest]), all);
  assert.equal(all[0] + all[1], groups.total(buckets).requests);

  // Callers with a token have no key, and are not the others.
  const tokens = groups.group(
    [{ start_time: 0, end_time: 1, results: [result(null, null, 1), others(9)] }],
    "output",
  );
  assert.deepEqual(
    tokens.map((one) => one.others),
    [false, true],
  );
  assert.deepEqual(groups.apart(tokens.slice(0, 1)).rest, []);
});

test("a file has a line for each bucket and group of all pages, and tells how far it is", async () => {
  const bucket = (at, ...results) => ({ start_time: at, end_time: at + 10, results });
  async function* pages() {
    yield [bucket(0, result("acme", "triage@1", 1)), bucket(10)];
    yield [bucket(20, { ...result("acme", "=x", 2), num_failed_requests: 1, api_key_id: "k" })];
  }
  const heard = [];
  const made = await file.fileOf(pages(), new Map([["k", "production"]]), (until) => heard.push(until));
  const lines = (await made.text()).split("\r\n");
  assert.equal(lines.length, 4);
  assert.match(lines[0], /^start,end,tenant,model,key_id,key,requests,failed_requests,/);
  assert.equal(lines[1], "1970-01-01T00:00:00.000Z,1970-01-01T00:00:10.000Z,acme,triage@1,,,1,0,10,1,5");
  assert.match(lines[2], /,acme,'=x,k,production,2,1,20,2,10$/);
  assert.deepEqual(heard, [20, 30]);
});

test("rows are sorted up and down, and those without a value come last in both", () => {
  const columns = [{ key: "n", by: (row) => row }];
  assert.deepEqual(sort.sortRows(["b", null, "a10", "a9"], columns, "n"), ["a9", "a10", "b", null]);
  assert.deepEqual(sort.sortRows([1, null, 3], columns, "-n"), [3, 1, null]);
  assert.deepEqual(sort.sortRows([2, 1], columns, "unknown"), [2, 1]);
});

test("before and after stand side by side, also when one is missing", () => {
  assert.deepEqual(changes.changesOf({ before: null, after: { revision: 1 } }), [
    { field: "revision", before: null, after: "1" },
  ]);
  assert.equal(changes.changesOf({ digest: "sha256:0" }), null);
  assert.deepEqual(changes.factsOf({ digest: "sha256:0", after: {} }), [
    { field: "digest", value: "sha256:0" },
  ]);
});

test("permissions come from the role and the scopes", () => {
  const as = (role, ...scopes) => ({ role, scopes });
  assert.ok(session.can(as("admin"), "tenants:write"));
  assert.ok(session.can(as("viewer"), "tenants:read"));
  for (const change of ["tenants:write", "keys:write", "adapters:write", "chat"])
    assert.ok(!session.can(as("viewer"), change), change);
  assert.ok(!session.can(as("admin"), "chat"));
  assert.ok(session.can(as("tenant", "chat"), "chat"));
  assert.ok(!session.can(as("tenant", "chat"), "audit:read"));
});
