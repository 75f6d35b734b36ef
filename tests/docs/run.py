#!/usr/bin/env python3
"""Runs the commands of README.md and docs/*.md, each document's in their order, against a demo of its own, so that no
document can rot. Also: links and their headings exist, JSON and YAML can be read, Python compiles.

A block's info string may say more than its language; readers never see it:
  no-run=REASON  is not run, and the reason is told
  needs=SERVICE  is run where that is: postgres (TENORA_TEST_POSTGRES_URL), or a program such as sqlite3
  serves         starts a server, in place of the one before it, which goes on until the document ends
  fails          must fail
"""

import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

import document as documents
from sessions import CURL, Sessions, end

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 120
# Lines of a failed block's output that are shown.
SHOWN_LINES = 40


class Reporter:
    """Tells what happens, and remembers what failed and what was left out."""

    def __init__(self, strict):
        self.strict, self.failed, self.skipped, self.ran = strict, [], [], 0

    def fail(self, text):
        self.failed.append(text)
        print(f"FAILED: {text}", flush=True)

    def skip(self, text):
        if self.strict:
            return self.fail(f"{text}, and TENORA_TEST_REQUIRE_SERVICES=1 asks for everything")
        self.skipped.append(text)
        print(f"SKIPPED: {text}", flush=True)

    @staticmethod
    def note(text):
        print(f"  {text}", flush=True)


class Database:
    """A Postgres database of a document's own with an owner and a role for servers, neither of them mighty."""

    def __init__(self, url):
        self.server, self.name, self.password = url, f"tenora_docs_{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
        self.place = re.sub(r"^postgres(?:ql)?://(?:[^@/]*@)?([^/?]+).*", r"\1", url)
        login = f"LOGIN PASSWORD '{self.password}'"
        self._ask(f"CREATE ROLE {self.name}_owner CREATEDB {login}", f"CREATE ROLE {self.name}_app {login}")
        self._ask(f"CREATE DATABASE {self.name} OWNER {self.name}_owner")

    def fill_in(self, text):
        """The names and addresses of a document replaced by this database's."""
        text = re.sub(
            r"postgres://tenora_(owner|app):…@db\.example/tenora(\w*)",
            rf"postgres://{self.name}_\1:{self.password}@{self.place}/{self.name}\2",
            text,
        )
        return re.sub(r"\btenora_(app|restored)\b", rf"{self.name}_\1", text)

    def drop(self):
        for name in (self.name, f"{self.name}_restored"):
            self._ask(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._ask(f"DROP ROLE {self.name}_app", f"DROP ROLE {self.name}_owner")

    def _ask(self, *statements):
        for statement in statements:
            subprocess.run(["psql", "-q", self.server, "-c", statement], check=True, capture_output=True)


class Runner:
    """One document's blocks, with a demo of its own."""

    def __init__(self, document, binary, reporter, python=None, node_modules=None, demo=True):
        self.document, self.reporter = document, reporter
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tenora-docs-"))
        self.database, self.server, self.server_log = None, None, self.folder / "server.log"
        self.port, self.ops_port = free_port(), free_port()
        self.keys, self.skipped = {}, set()
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "tenora").symlink_to(binary)
        if shutil.which("curl"):
            (tools / "curl").write_text(CURL.format(curl=shutil.which("curl")))
            (tools / "curl").chmod(0o755)
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "TERM", "USER") if name in os.environ}
        environment = {**kept, "PATH": f"{tools}:{os.environ['PATH']}", "TENORA_URL": self.url, "TENORA_LOG": "warn"}
        self.sessions = Sessions(self.folder, environment, python, node_modules)
        self._lay_out(binary)
        if demo:
            self._start_demo()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def run(self):
        for block in self.document.blocks:
            if block.language in documents.RUNNABLE and not self._run(block):
                return False
        return True

    def close(self):
        if self.server:
            end(self.server)
        self.sessions.close()
        if self.database:
            self.database.drop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, block):
        """Whether the document may go on."""
        marks = block.marks
        if "no-run" in marks:
            self.reporter.note(f"{block.place}: not run: {marks['no-run']}")
            return True
        if "needs" in marks and not self._have(marks["needs"], block):
            return True
        if not self.sessions.can_run(block.language):
            self._skip(block, f"what runs {block.language} is not here")
            return True
        problem, text = self._filled_in(block)
        if problem:
            self.reporter.fail(f"{block.place}: {problem}")
            return False
        self.reporter.ran += 1
        if "serves" in marks:
            return self._serve(block, text)
        well, output = self.sessions.run(documents.dataclasses.replace(block, text=text))
        if well == ("fails" not in marks):
            return True
        why = "should fail and does not" if well else "fails"
        shown = "\n".join(output.rstrip().split("\n")[-SHOWN_LINES:])
        log = self.server_log.read_text(errors="replace").strip() if self.server_log.exists() else ""
        server = f"\nthe server's last words:\n{indented(chr(10).join(log.split(chr(10))[-5:]))}" if log else ""
        self.reporter.fail(f"{block.place}: this block {why}:\n{indented(block.text)}\nits output:\n{indented(shown)}{server}")
        return False

    def _filled_in(self, block):
        """The block with the documented defaults replaced by this demo's; or what cannot be replaced."""
        if "serves" in block.marks:
            self.port = free_port()
        text = re.sub(r"(?:127\.0\.0\.1|0\.0\.0\.0|localhost):8080\b", f"127.0.0.1:{self.port}", block.text)
        text = re.sub(r"127\.0\.0\.1:9090\b", f"127.0.0.1:{self.ops_port}", text)
        if block.language != "sh":
            return None, text
        text = re.sub(r"/models/([\w.-]+)", lambda found: str(self._model(found[1])), text)
        # The demo's base model has no longer one.
        text = re.sub(r"\bTENORA_CONTEXT_LENGTH=\d+", "TENORA_CONTEXT_LENGTH=512", text)
        if self.database:
            text = self.database.fill_in(text)
        lines = []
        for line in text.split("\n"):
            for name, value in self.keys.items():
                line = re.sub(rf"\b{name}=[^\s#]*…", lambda _, v=f"{name}={value}": v, line)
            code = re.sub(r"(^|\s)#.*", "", line)
            if "…" in code:
                return f"nobody knows what stands for … in `{code.strip()}`", text
            lines.append(line)
        return None, "\n".join(lines)

    def _model(self, name):
        link = self.folder / "models" / name
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(ROOT / "demo/base")
        return link

    def _skip(self, block, why):
        """Tells each reason once."""
        if why not in self.skipped:
            self.skipped.add(why)
            self.reporter.skip(f"{block.place}, and others of this document: {why}")

    def _have(self, service, block):
        if service != "postgres":
            if shutil.which(service):
                return True
            self._skip(block, f"{service} is not here")
            return False
        if self.database is None:
            url = os.environ.get("TENORA_TEST_POSTGRES_URL")
            if not url or not shutil.which("psql") or not shutil.which("pg_dump"):
                self._skip(block, "TENORA_TEST_POSTGRES_URL is not set, or psql or pg_dump is not here")
                return False
            try:
                self.database = Database(url)
            except subprocess.CalledProcessError as error:
                self._skip(block, f"no roles and database can be made there: {error.stderr.decode(errors='replace').strip()}")
                return False
        return True

    def _serve(self, block, text):
        if self.server:
            end(self.server)
        self.sessions.set("TENORA_URL", self.url)
        if "TENORA_LISTEN=" not in text:
            text = f"export TENORA_LISTEN=127.0.0.1:{self.port}\n{text}"
        self.server = self.sessions.start(text, self.server_log)
        if self._is_ready():
            return True
        log = self.server_log.read_text(errors="replace")
        self.reporter.fail(f"{block.place}: this server does not start:\n{indented(block.text)}\nits output:\n{indented(log)}")
        return False

    def _start_demo(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("TENORA_", "AWS_"))}
        environment.update(
            TENORA_LISTEN=f"127.0.0.1:{self.port}", TENORA_DATA_DIR=str(self.sessions.workplace / ".tenora"), TENORA_LOG="warn"
        )
        with open(self.server_log, "wb") as log:
            self.server = subprocess.Popen(
                [self.folder / "bin/tenora", "serve", "--demo", ROOT / "demo"],
                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True,
            )
        credentials = self.sessions.workplace / ".tenora/demo-credentials.json"
        if not self._is_ready(credentials):
            raise documents.Problem(f"the demo does not start:\n{self.server_log.read_text(errors='replace')}")
        told = documents.json.loads(credentials.read_text())
        acme = told["tenants"][0]["api_key"]
        self.keys = {"TENORA_KEY": acme, "TENORA_API_KEY": acme, "TENORA_ADMIN_KEY": told["admin_key"]}

    def _is_ready(self, *files):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.server.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                    if answer.status == 200 and all(file.exists() for file in files):
                        return True
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        return False

    def _lay_out(self, binary):
        """What a reader's folder has: the repository's demo, the built binary, and an adapter that was trained."""
        work = self.sessions.workplace
        (work / "demo").symlink_to(ROOT / "demo")
        (work / "target/release").mkdir(parents=True)
        (work / "target/release/tenora").symlink_to(binary)
        shutil.copytree(ROOT / "demo/adapters/ticket-triage", work / "out")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def indented(text):
    return "\n".join(f"    {line}" for line in text.rstrip().split("\n"))


def check_text(found, reporter):
    """Everything that needs no server."""
    for problem in [*documents.broken_links(found), *documents.missing_from_lists(ROOT)]:
        reporter.fail(problem)
    for block in (block for document in found for block in document.blocks):
        problem = documents.static_problem(block)
        if problem:
            reporter.fail(problem)
        if block.language in ("yaml", "yml") and documents.yaml is None:
            reporter.skip(f"{block.place}: YAML is not looked at, as PyYAML is not here")


def main():
    arguments = argparse.ArgumentParser(description="Runs the commands that the documents tell.")
    arguments.add_argument("binary", type=pathlib.Path)
    arguments.add_argument("--python", help="a Python with the packages that the documents use")
    arguments.add_argument("--node-modules", type=pathlib.Path, help="a folder with the packages that the documents use")
    arguments.add_argument("--only", action="append", help="a document, such as docs/api.md")
    options = arguments.parse_args()
    reporter = Reporter(os.environ.get("TENORA_TEST_REQUIRE_SERVICES") == "1")
    began = time.monotonic()
    try:
        found = documents.documents(ROOT)
    except documents.Problem as problem:
        sys.exit(f"FAILED: {problem}")
    check_text(found, reporter)
    for document in found:
        wanted = not options.only or document.name in options.only
        if not wanted or not any(block.language in documents.RUNNABLE for block in document.blocks):
            continue
        print(f"== {document.name} ==", flush=True)
        runner = Runner(document, options.binary.resolve(), reporter, options.python, options.node_modules)
        try:
            runner.run()
        finally:
            runner.close()
    print(f"{reporter.ran} blocks ran in {time.monotonic() - began:.0f} s; {len(reporter.failed)} problems, {len(reporter.skipped)} skipped.")
    sys.exit(1 if reporter.failed else 0)


if __name__ == "__main__":
    main()
