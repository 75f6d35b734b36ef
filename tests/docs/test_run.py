"""What checks the documents finds what is broken in them."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

import document as documents
import run

BROKEN = """\
# A title, with `code` and *stars*

## Twice
## Twice

[right](#a-title-with-code-and-stars) [right](#twice-1) [right](https://example.com/x) [right](docs/there.md#there)
[wrong](#nowhere) [wrong](docs/absent.md) [wrong](docs/there.md#absent) [wrong](../../etc/passwd) [pending](docs/later.md)
`[no link](docs/absent.md)`

```json
{"a": }
```

```python no-run=needs a GPU
def broken(:
```

```yaml
a: [1
```
"""


class Texts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        (self.root / "docs").mkdir()
        (self.root / "docs/there.md").write_text("# There\n")

    def read(self, text):
        (self.root / "README.md").write_text(text)
        return documents.documents(self.root)

    def test_links_that_lead_nowhere_are_named(self):
        told = list(documents.broken_links(self.read(BROKEN), pending=["docs/later.md"]))
        self.assertEqual(
            told,
            [
                "README.md:7: the link to #nowhere names no heading there",
                "README.md:7: the link to docs/absent.md leads to nothing",
                "README.md:7: the link to docs/there.md#absent names no heading there",
                "README.md:7: the link to ../../etc/passwd leads out of the repository",
            ],
        )

    def test_blocks_that_cannot_be_read_are_named(self):
        problems = [documents.static_problem(block) for block in self.read(BROKEN)[0].blocks]
        self.assertIn("README.md:11: the json block", problems[0])
        self.assertIn("README.md:15: the python block", problems[1])
        if documents.yaml:
            self.assertIn("README.md:19: the yaml block", problems[2])

    def test_a_fence_says_nothing_unknown(self):
        for fence, told in [
            ("```sh no-rnu=x\n```", "`no-rnu=x`"),
            ("```sh no-run\n```", "`no-run`"),
            ("```sh\ntrue", "does not end"),
        ]:
            with self.subTest(fence), self.assertRaisesRegex(documents.Problem, told):
                self.read(fence)

    def test_a_block_by_another_name_is_not_left_out(self):
        problem = documents.static_problem(self.read("```bash\ntrue\n```\n")[0].blocks[0])
        self.assertEqual(problem, "README.md:2: `bash` is not run: write `sh`")

    def test_blocks_in_lists_are_blocks(self):
        block = self.read("- so:\n\n  ```sh\n  a\n    b\n  ```\n")[0].blocks[0]
        self.assertEqual((block.text, block.line), ("a\n  b\n", 4))

    def test_what_the_code_lists_and_no_document_has_is_named(self):
        for name, text in {
            "engine/src/lora/codes.rs": 'pub const A: &str = "adapter_a";\npub const B: &str = "adapter_b";\n',
            "gateway/src/error/catalogue.rs": 'X => refused(S::GONE, "x_gone"),\nY => later("y_away", 1),\ncode: "z",\n',
            "gateway/src/router.rs": '        get("/v1/a", Any, a),\n        post("/v1/a", Any, b),\n',
            "docs/adapters.md": "`adapter_a`",
            "docs/api.md": "`x_gone` `z` `GET /v1/a`",
        }.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        self.assertEqual(
            list(documents.missing_from_lists(self.root)),
            [
                "docs/adapters.md: `adapter_b` of engine/src/lora/codes.rs is missing",
                "docs/api.md: `y_away` of gateway/src/error/catalogue.rs is missing",
                "docs/api.md: `POST /v1/a` of gateway/src/router.rs is missing",
            ],
        )


class Runs(unittest.TestCase):
    def run_text(self, text, strict=False):
        """What is told of a document without a server."""
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "README.md").write_text(text)
            document = documents.Document(folder, "README.md")
            told, reporter = io.StringIO(), run.Reporter(strict)
            with contextlib.redirect_stdout(told):
                runner = run.Runner(document, "/bin/true", reporter, python=sys.executable, demo=False)
                runner.keys = {"TENORA_API_KEY": "tk_1"}
                try:
                    runner.run()
                finally:
                    runner.close()
            return reporter, told.getvalue()

    def test_a_failing_block_is_told_with_place_command_and_output(self):
        reporter, _ = self.run_text("```sh\ntrue\n```\n\n```sh\necho so far\nfalse | cat\necho never\n```\n")
        (told,) = reporter.failed
        for part in ["README.md:6: this block fails", "false | cat", "so far", "(exit: 1)"]:
            self.assertIn(part, told)
        self.assertNotIn("\n    never\n", told.split("its output:")[1])

    def test_python_fails_too(self):
        reporter, _ = self.run_text("```python\nx = 1\n```\n\n```python\nprint(x)\nraise ValueError('no')\n```\n")
        (told,) = reporter.failed
        for part in ["README.md:6", "ValueError: no", "    1\n"]:
            self.assertIn(part, told)

    def test_what_should_fail_must(self):
        self.assertEqual(self.run_text("```sh fails\nfalse\n```\n")[0].failed, [])
        reporter, _ = self.run_text("```sh fails\ntrue\n```\n")
        self.assertIn("should fail and does not", reporter.failed[0])

    def test_what_blocks_leave_goes_on(self):
        text = "```sh\nexport A=1\nb='x y'\nf() { echo \"$A $b\"; }\ncd demo\n```\n\n```sh\ntest \"$(f)\" = '1 x y' -a -d base\n```\n"
        text += "\n```python\nimport os\nassert os.environ['A'] == '1' and os.path.isdir('base')\n```\n"
        self.assertEqual(self.run_text(text)[0].failed, [])

    def test_a_function_that_fails_keeps_what_was(self):
        text = "```sh\nf() { A=$1; false; }\n```\n\n```sh fails\nf one two\n```\n\n```sh\ntest $A = one\n```\n"
        self.assertEqual(self.run_text(text)[0].failed, [])

    def test_defaults_are_replaced_and_unknown_placeholders_refused(self):
        text = "```sh\nexport TENORA_API_KEY=tk_…  # yours…\ntest $TENORA_API_KEY = tk_1\ntest -f /models/Any-1B/config.json\n"
        self.assertEqual(self.run_text(text + "! echo http://127.0.0.1:8080 | grep 8080$\n```\n")[0].failed, [])
        reporter, _ = self.run_text("```sh\nexport OTHER=…\n```\n")
        self.assertIn("nobody knows what stands for … in `export OTHER=…`", reporter.failed[0])

    def test_what_is_not_run_says_why(self):
        reporter, told = self.run_text("```sh no-run=needs a GPU\nfalse\n```\n\n```js\nimport 'none';\n```\n")
        self.assertEqual((reporter.failed, reporter.ran), ([], 0))
        self.assertIn("README.md:2: not run: needs a GPU", told)
        self.assertIn("SKIPPED: README.md:6, and others of this document: what runs js is not here", told)
        self.assertEqual(len(self.run_text("```js\n```\n", strict=True)[0].failed), 1)


if __name__ == "__main__":
    unittest.main()
