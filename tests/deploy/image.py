"""What the Dockerfile copies, held against what cargo reads: nothing is built."""

import os
import re
import shutil
import subprocess
import tempfile
from collections import namedtuple
from pathlib import Path

Copy = namedtuple("Copy", "stage sources target")


def instructions(tree):
    """The Dockerfile's lines, continued ones joined, comments left out."""
    text = Path(tree, "deploy/Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line.strip() for line in lines.replace("\\\n", " ").splitlines() if line.strip()]


def copies(tree):
    """What is copied from the context, by stage."""
    stage, found = None, []
    for line in instructions(tree):
        word, *rest = line.split()
        if word == "FROM":
            stage = rest[rest.index("AS") + 1] if "AS" in rest else rest[0]
        elif word == "COPY" and not any(part.startswith("--from=") for part in rest):
            *sources, target = [part for part in rest if not part.startswith("--")]
            found.append(Copy(stage, sources, target))
    return found


def _pattern(text):
    """A pattern of .dockerignore as an expression over a whole path."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", text.strip("/"))
    meaning = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts) + r"\Z")


def ignored(tree):
    """Whether .dockerignore leaves a path out: the last pattern that matches it, or a folder above it, decides."""
    patterns = []
    for line in Path(tree, ".dockerignore").read_text(encoding="utf-8").splitlines():
        if (line := line.strip()) and not line.startswith("#"):
            patterns.append((_pattern(line.lstrip("!")), line.startswith("!")))

    def decide(path):
        out = False
        for pattern, back in patterns:
            if any(pattern.match(part) for part in _above(path)):
                out = not back
        return out

    return decide


def context(tree):
    """The files that a build is sent."""
    out, files = ignored(tree), []
    for folder, folders, names in os.walk(tree):
        # Large, and no part of any image.
        folders[:] = [name for name in folders if name not in (".git", "node_modules", "target")]
        paths = (Path(folder, name).relative_to(tree).as_posix() for name in names)
        files += [path for path in paths if not out(path)]
    return sorted(files)


def _above(path):
    """A path, and every folder above it."""
    return ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 2)]


def _taken(sources, files):
    for source in sources:
        pattern = _pattern(source.removeprefix("./"))
        yield source, [path for path in files if any(pattern.match(part) for part in _above(path))]


def sources_exist(tree):
    """Everything that is copied is there, and is sent to the build."""
    files = context(tree)
    return [
        f"deploy/Dockerfile copies `{source}` into the stage `{copy.stage}`, which is not in the context; "
        "correct the path, or let .dockerignore through what it names"
        for copy in copies(tree)
        for source, taken in _taken(copy.sources, files)
        if not taken
    ]


def extract(tree, target):
    """The stage `source` as a folder."""
    files = context(tree)
    for copy in copies(tree):
        if copy.stage == "source":
            for _, taken in _taken(copy.sources, files):
                for path in taken:
                    place = Path(target, path)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(Path(tree, path), place)


def cargo_finds_its_files(tree):
    """cargo can read the workspace, and every file that the compiler includes is there."""
    with tempfile.TemporaryDirectory() as folder:
        extract(tree, folder)
        problems = _included(folder)
        if shutil.which("cargo"):
            # Started in the repository, whose rust-toolchain.toml says which cargo.
            asked = ["cargo", "metadata", "--no-deps", "--offline", "--locked", "--format-version=1"]
            ran = subprocess.run(
                [*asked, f"--manifest-path={folder}/Cargo.toml"], cwd=tree, capture_output=True, text=True
            )
            if ran.returncode:
                problems.append(f"cargo cannot read what the Dockerfile copies: {ran.stderr.strip()}")
        else:
            print("SKIPPED: cargo is not installed, and is not asked whether it can read what the Dockerfile copies")
        return problems


def _included(folder):
    """Files that macros read while the server is compiled."""
    problems = []
    for path in sorted(Path(folder).rglob("*.rs")):
        name = str(path.relative_to(folder))
        if re.search(r"(^|/)(tests|benches)(/|\.rs$)|contract\.rs$", name):
            continue
        code = path.read_text(encoding="utf-8").split("#[cfg(test)]\nmod ")[0]
        crate = Path(folder, name.split("/")[0])
        wanted = [(path.parent / text, text) for text in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', code)]
        wanted += [(crate / text, text) for text in re.findall(r'migrate!\("([^"]+)"\)', code)]
        problems += [
            f"{name} includes `{text}`, which deploy/Dockerfile does not copy or .dockerignore leaves out"
            for place, text in wanted
            if not place.exists()
        ]
    return problems


def versions(tree):
    """Every image is pinned; Rust is that of rust-toolchain.toml, and the image's version the workspace's."""
    problems, stages = [], {"scratch"}
    rust = re.search(r'channel = "([^"]+)"', Path(tree, "rust-toolchain.toml").read_text(encoding="utf-8"))[1]
    own = re.search(r'^version = "([^"]+)"', Path(tree, "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    for line in instructions(tree):
        word, *rest = line.split()
        if word != "FROM":
            if line.startswith("ARG VERSION=") and line != f"ARG VERSION={own}":
                problems.append(f"deploy/Dockerfile: `{line}`, but Cargo.toml says {own}")
            continue
        if rest[0] not in stages and "${" not in rest[0] and (problem := unpinned(rest[0])):
            problems.append(f"deploy/Dockerfile: {problem}")
        if rest[0].startswith("rust:") and not rest[0].startswith(f"rust:{rust}-"):
            problems.append(f"deploy/Dockerfile builds with {rest[0]}, rust-toolchain.toml says {rust}")
        stages.add(rest[-1])
    return problems


def unpinned(image):
    """What is wrong with an image's tag."""
    name, _, tag = image.rpartition("/")[2].partition(":")
    if not re.match(r"v?\d+\.\d+", tag):
        return f"the image `{image}` is not pinned to a version; write {name}:<version>"
    return None
