// The official JavaScript client against a running demo, whose credentials TENORA_TEST_CREDENTIALS names.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import OpenAI from "openai";

const { url, tenants } = JSON.parse(readFileSync(process.env.TENORA_TEST_CREDENTIALS, "utf8"));
const questions = {
  "ticket-triage": "I was charged twice for my order.",
  "text-to-sql": "List all customers from Delhi.",
  "brand-voice": "Zoe gets 30 percent off, not more.",
};

const client = (apiKey) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: 120_000 });
const question = (model, more = {}) => ({
  model,
  messages: [{ role: "user", content: questions[model] ?? "Hello" }],
  temperature: 0,
  max_tokens: 40,
  ...more,
});

async function whole({ api_key, adapters: [model] }) {
  const answer = await client(api_key).chat.completions.create(question(model));
  assert.equal(answer.model, `${model}@1`);
  assert.ok(answer.usage.completion_tokens > 0);
  return answer.choices[0].message.content;
}

async function streamed({ api_key, adapters: [model] }) {
  const asked = question(model, { stream: true, stream_options: { include_usage: true } });
  let text = "";
  let usage = null;
  for await (const chunk of await client(api_key).chat.completions.create(asked)) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.ok(usage.total_tokens > 0);
  return text;
}

test("three tenants at once, streaming and not", async () => {
  const [wholes, streams] = await Promise.all([
    Promise.all(tenants.map(whole)),
    Promise.all(tenants.map(streamed)),
  ]);
  assert.deepEqual(wholes, streams);
  assert.equal(new Set(wholes).size, 3);
});

test("a tenant sees the base and its own adapters", async () => {
  for (const { api_key, adapters } of tenants) {
    const ids = [];
    for await (const model of client(api_key).models.list()) ids.push(model.id);
    assert.deepEqual(ids.slice(1), adapters);
  }
});

test("errors are the client's own classes", async () => {
  const mine = client(tenants[0].api_key);
  const fails = (who, asked, kind, code) =>
    assert.rejects(who.chat.completions.create(asked), (error) => {
      assert.ok(error instanceof kind, `${error}`);
      assert.equal(error.code, code);
      return true;
    });
  await fails(mine, question("text-to-sql"), OpenAI.NotFoundError, "model_not_found");
  await fails(client("tk_wrong"), question("ticket-triage"), OpenAI.AuthenticationError, "invalid_api_key");
  await fails(mine, question("ticket-triage", { n: 99 }), OpenAI.BadRequestError, "invalid_value");
});

test("leaving a stream early is no error", async () => {
  const { api_key } = tenants[0];
  const stream = await client(api_key).chat.completions.create(question("ticket-triage", { stream: true }));
  for await (const chunk of stream) if (chunk.choices.length > 0) break;
  assert.ok(await whole(tenants[0]));
});
