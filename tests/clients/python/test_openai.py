"""The official Python client against a running demo, whose credentials TENORA_TEST_CREDENTIALS names."""

import hashlib
import json
import os
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import openai
import pydantic

CREDENTIALS = json.loads(Path(os.environ["TENORA_TEST_CREDENTIALS"]).read_text(encoding="utf-8"))
TENANTS = CREDENTIALS["tenants"]
DEMO = Path(__file__).resolve().parents[3] / "demo" / "adapters"
QUESTIONS = {
    "ticket-triage": "I was charged twice for my order.",
    "text-to-sql": "List all customers from Delhi.",
    "brand-voice": "Zoe gets 30 percent off, not more.",
}


class Ticket(pydantic.BaseModel):
    """What a support ticket is about."""

    category: str
    priority: Literal["low", "medium", "high"]
    sentiment: str


def client(key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=CREDENTIALS["url"] + "/v1", api_key=key, max_retries=0, timeout=120)


def question(model: str, **more) -> dict:
    messages = [{"role": "user", "content": QUESTIONS[model]}]
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": 40, **more}


def whole(tenant: dict) -> str:
    model = tenant["adapters"][0]
    answer = client(tenant["api_key"]).chat.completions.create(**question(model))
    assert answer.model == f"{model}@1", answer.model
    assert answer.usage.completion_tokens > 0 and answer.choices[0].finish_reason in ("stop", "length")
    return answer.choices[0].message.content


def streamed(tenant: dict) -> str:
    model = tenant["adapters"][0]
    asked = question(model, stream=True, stream_options={"include_usage": True})
    chunks = list(client(tenant["api_key"]).chat.completions.create(**asked))
    assert chunks[-1].usage.total_tokens > 0 and chunks[-1].choices == []
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


class Chat(unittest.TestCase):
    def test_three_tenants_at_once_streaming_and_not(self):
        with ThreadPoolExecutor(6) as pool:
            wholes = [pool.submit(whole, tenant) for tenant in TENANTS]
            streams = [pool.submit(streamed, tenant) for tenant in TENANTS]
            wholes, streams = [job.result() for job in wholes], [job.result() for job in streams]
        self.assertEqual(wholes, streams)
        self.assertEqual(len(set(wholes)), 3)

    def test_completions(self):
        one = client(TENANTS[0]["api_key"])
        asked = {"model": "ticket-triage@1", "prompt": "Hello", "max_tokens": 8, "temperature": 0}
        text = one.completions.create(**asked).choices[0].text
        chunks = one.completions.create(**asked, stream=True)
        self.assertEqual(text, "".join(chunk.choices[0].text for chunk in chunks if chunk.choices))

    def test_an_answer_is_of_its_schema(self):
        one = client(TENANTS[0]["api_key"])
        schema = {
            "type": "object",
            "properties": {"urgent": {"type": "boolean"}, "words": {"type": "integer", "minimum": 1, "maximum": 99}},
            "required": ["urgent", "words"],
            "additionalProperties": False,
        }
        named = {"type": "json_schema", "json_schema": {"name": "judgement", "strict": True, "schema": schema}}
        for more in ({}, {"temperature": 1.0, "seed": 4}):
            asked = {**question("ticket-triage", response_format=named), **more}
            choice = one.chat.completions.create(**asked).choices[0]
            answer = json.loads(choice.message.content)
            self.assertEqual((list(answer), choice.finish_reason), (["urgent", "words"], "stop"))
            self.assertIsInstance(answer["urgent"], bool)
            self.assertIn(answer["words"], range(1, 100))
        asked = question("ticket-triage", response_format={"type": "json_object"})
        self.assertIsInstance(json.loads(one.chat.completions.create(**asked).choices[0].message.content), dict)

    def test_an_answer_is_parsed_into_a_class(self):
        one = client(TENANTS[0]["api_key"])
        asked = {**question("ticket-triage"), "max_tokens": 200}
        ticket = one.chat.completions.parse(**asked, response_format=Ticket).choices[0].message.parsed
        self.assertIsInstance(ticket, Ticket)
        with one.chat.completions.stream(**asked, response_format=Ticket) as stream:
            self.assertEqual(stream.get_final_completion().choices[0].message.parsed, ticket)

    def test_a_tenant_sees_the_base_and_its_own_adapters(self):
        for tenant in TENANTS:
            models = list(client(tenant["api_key"]).models.list())
            base = [model.id for model in models if model.parent is None]
            self.assertEqual([model.id for model in models], base + tenant["adapters"])
            self.assertEqual(client(tenant["api_key"]).models.retrieve(tenant["adapters"][0]).parent, base[0])


class Uploads(unittest.TestCase):
    def test_weights_in_parts_become_an_adapter_that_answers(self):
        tenant, folder = TENANTS[0], DEMO / "text-to-sql"
        one = client(tenant["api_key"])
        weights = folder / "adapter_model.safetensors"
        md5 = hashlib.md5(weights.read_bytes(), usedforsecurity=False).hexdigest()
        kind = {"mime_type": "application/octet-stream", "purpose": "adapter"}
        upload = one.uploads.upload_file_chunked(file=weights, part_size=200_000, md5=md5, **kind)
        self.assertEqual((upload.status, upload.bytes), ("completed", weights.stat().st_size))
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        made = {"name": "sql-in-parts", "config": config, "weights_upload_id": upload.file.id}
        version = one.post("/adapters", cast_to=object, body=made)
        self.addCleanup(one.delete, "/adapters/sql-in-parts", cast_to=object)
        self.assertEqual(version["model"], "sql-in-parts@1")
        answer = one.chat.completions.create(**{**question("text-to-sql"), "model": "sql-in-parts"})
        self.assertTrue(answer.choices[0].message.content.upper().startswith("SELECT"), answer)

    def test_an_upload_that_was_given_up_takes_no_parts(self):
        one = client(TENANTS[0]["api_key"])
        upload = one.uploads.create(bytes=3, filename="x", mime_type="x/y", purpose="adapter")
        self.assertEqual((upload.object, upload.status, upload.file), ("upload", "pending", None))
        part = one.uploads.parts.create(upload.id, data=b"abc")
        self.assertEqual((part.object, part.upload_id), ("upload.part", upload.id))
        self.assertEqual(one.uploads.cancel(upload.id).status, "cancelled")
        with self.assertRaises(openai.ConflictError) as caught:
            one.uploads.complete(upload.id, part_ids=[part.id])
        self.assertEqual(caught.exception.code, "upload_not_pending")


class Errors(unittest.TestCase):
    def setUp(self):
        self.client = client(TENANTS[0]["api_key"])

    def fails(self, kind: type, **asked) -> openai.APIStatusError:
        with self.assertRaises(kind) as caught:
            self.client.chat.completions.create(**asked)
        self.assertTrue(caught.exception.request_id)
        return caught.exception

    def test_a_foreign_and_an_unknown_model_are_the_same_not_found(self):
        ask = question("ticket-triage")
        foreign = self.fails(openai.NotFoundError, **{**ask, "model": "text-to-sql"})
        unknown = self.fails(openai.NotFoundError, **{**ask, "model": "no-such-one"})
        self.assertEqual((foreign.code, foreign.param), ("model_not_found", "model"))
        same = str(foreign.body).replace("text-to-sql", "no-such-one")
        self.assertEqual(same, str(unknown.body))

    def test_a_wrong_key(self):
        self.client = client("tk_wrong")
        self.assertEqual(self.fails(openai.AuthenticationError, **question("ticket-triage")).code, "invalid_api_key")

    def test_a_wrong_value(self):
        error = self.fails(openai.BadRequestError, **{**question("ticket-triage"), "temperature": 9})
        self.assertEqual((error.code, error.param), ("invalid_value", "temperature"))

    def test_a_schema_that_cannot_be_honoured(self):
        schema = {"type": "array", "uniqueItems": True}
        named = {"type": "json_schema", "json_schema": {"name": "set", "schema": schema}}
        error = self.fails(openai.BadRequestError, **question("ticket-triage", response_format=named))
        self.assertEqual((error.code, error.param), ("invalid_value", "response_format"))
        self.assertIn("uniqueItems", error.message)

    def test_a_prompt_beyond_the_context(self):
        messages = [{"role": "user", "content": "word " * 2000}]
        error = self.fails(openai.BadRequestError, **{**question("ticket-triage"), "messages": messages})
        self.assertEqual(error.code, "context_length_exceeded")


if __name__ == "__main__":
    unittest.main()
