"""What runs blocks: a shell whose variables, functions and folder last from block to block, a Python namespace, Node."""

import json
import os
import pathlib
import select
import shlex
import signal
import subprocess
import time

# One block may take this long.
TIMEOUT_S = 60

# curl that fails where the server refuses, so that a documented request must succeed.
CURL = '#!/bin/sh\nexec "{curl}" --fail-with-body "$@"\n'

# Runs one block where the last one ended. All variables go on, exported or not, as in a reader's own shell.
SHELL = """
source {folder}/state
cd "$(cat {folder}/folder)"
trap 'code=$?; {{ export -p; declare -f; }} >{folder}/state; pwd >{folder}/folder; env -0 >{folder}/environment; exit $code' EXIT
set -aeuo pipefail
source {folder}/block
"""
# The same for what goes on, and leaves nothing behind.
SERVER = """
source {folder}/state
cd "$(cat {folder}/folder)"
set -a
source {folder}/block
"""

# Reads a block as JSON a line, runs it in the one namespace, answers with JSON a line.
PYTHON = """
import contextlib, io, json, os, sys, traceback
namespace, answers = {"__name__": "__main__"}, os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    block, out = json.loads(line), io.StringIO()
    os.environ.clear()
    os.environ.update(block["environment"])
    os.chdir(block["folder"])
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            exec(compile(block["text"], block["place"], "exec"), namespace)
            failed = False
        except BaseException:
            traceback.print_exc()
            failed = True
    answers.write(json.dumps({"failed": failed, "output": out.getvalue()}) + "\\n")
    answers.flush()
"""


class Sessions:
    """The sessions of one document, in a folder of its own."""

    def __init__(self, folder, environment, python=None, node_modules=None):
        self.folder = pathlib.Path(folder)
        self.workplace = self.folder / "work"
        self.workplace.mkdir(parents=True)
        self.python, self.node_modules = python, node_modules
        self._worker, self._groups = None, []
        self._write("folder", str(self.workplace))
        self._write("state", "")
        self.environment = dict(environment)
        self._write("environment", "\0".join(f"{name}={value}" for name, value in environment.items()))

    def run(self, block):
        """Runs a block; whether it went well, and its output."""
        if block.language == "sh":
            return self._run_shell(block.text)
        return self._run_python(block) if block.language == "python" else self._run_node(block.text)

    def can_run(self, language):
        """Whether what the language needs is here."""
        return {"sh": True, "python": self.python, "js": self.node_modules}[language]

    def start(self, text, log):
        """Starts a block that goes on: a server."""
        self._write("block", text)
        with open(log, "wb") as out:
            process = subprocess.Popen(
                self._bash(SERVER), env=self.now(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        self._groups.append(process)
        return process

    def set(self, name, value):
        """Sets a variable for all blocks to come."""
        self._run_shell(f"export {name}='{value}'\n")

    def now(self):
        """The environment that the last shell block left."""
        text = (self.folder / "environment").read_text(encoding="utf-8", errors="surrogateescape")
        return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)

    def close(self):
        """Ends whatever a block left running."""
        if self._worker:
            self._worker.kill()
            self._worker.communicate()
        for process in self._groups:
            end(process)

    def _write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8", errors="surrogateescape")

    def _here(self):
        return (self.folder / "folder").read_text(encoding="utf-8").strip()

    def _run_shell(self, text):
        self._write("block", text)
        return self._finish(self._bash(SHELL), self.environment)

    def _bash(self, script):
        return ["bash", "--noprofile", "--norc", "-c", script.format(folder=shlex.quote(str(self.folder)))]

    def _run_node(self, text):
        place = self.folder / "node"
        place.mkdir(exist_ok=True)
        if not (place / "node_modules").exists():
            (place / "node_modules").symlink_to(self.node_modules)
        (place / "block.mjs").write_text(text, encoding="utf-8")
        return self._finish(["node", place / "block.mjs"], self.now())

    def _finish(self, command, environment):
        with open(self.folder / "output", "wb") as out:
            process = subprocess.Popen(
                command, cwd=self._here(), env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )
            self._groups.append(process)
            try:
                code = process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                code = f"no end within {TIMEOUT_S} s"
                end(process)
        output = (self.folder / "output").read_text(encoding="utf-8", errors="replace")
        return code == 0, output if code == 0 else f"{output}\n(exit: {code})"

    def _run_python(self, block):
        if self._worker is None:
            self._worker = subprocess.Popen(
                [self.python, "-c", PYTHON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        task = {"text": block.text, "place": block.place, "environment": self.now(), "folder": self._here()}
        self._worker.stdin.write(json.dumps(task) + "\n")
        self._worker.stdin.flush()
        if not select.select([self._worker.stdout], [], [], TIMEOUT_S)[0]:
            self._worker.kill()
            self._worker = None
            return False, f"(no end within {TIMEOUT_S} s)"
        answer = json.loads(self._worker.stdout.readline() or '{"failed": true, "output": "(Python ended)"}')
        return not answer["failed"], answer["output"]


def end(process):
    """Asks a process and what it started to stop, then makes them."""
    for number, wait_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 1)):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        deadline = time.monotonic() + wait_s
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
    process.wait()
