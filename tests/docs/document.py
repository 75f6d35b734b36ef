"""A Markdown document as the tests see it: its fenced blocks, its headings' anchors and its links. Knows no server."""

import dataclasses
import json
import pathlib
import re
import urllib.parse

try:
    import yaml
except ImportError:
    yaml = None

# What runs, and in what.
RUNNABLE = ("sh", "python", "js")
# Other names of the same, by which a block would go unseen.
OTHER_NAMES = {"bash": "sh", "shell": "sh", "console": "sh", "py": "python", "python3": "python", "javascript": "js", "mjs": "js"}
# What a fence's info string may say after its language.
MARKS = ("no-run", "fails", "serves", "needs")


class Problem(Exception):
    """Something of a document that is not as it should be; begins with the document and the line."""


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block. `line` is that of its first line of text."""

    document: str
    line: int
    language: str
    marks: dict
    text: str

    @property
    def place(self):
        return f"{self.document}:{self.line}"


@dataclasses.dataclass(frozen=True)
class Link:
    document: str
    line: int
    target: str


class Document:
    """Reads a file below `root`; `name` is its path from there."""

    def __init__(self, root, name):
        self.root, self.name = pathlib.Path(root), name
        self.blocks, self.links, self.anchors = [], [], set()
        self._read((self.root / name).read_text(encoding="utf-8").split("\n"))

    def _read(self, lines):
        fence, begin, body, indent, headings = None, 0, [], 0, {}
        for number, line in enumerate(lines, 1):
            opening = re.match(r"( *)(`{3,}|~{3,})(.*)$", line)
            if fence is None and opening:
                indent, fence, info = len(opening[1]), opening[2], opening[3].strip()
                begin, body = number + 1, []
            elif fence is not None and line.strip() == fence:
                self.blocks.append(self._block(begin, info, "\n".join(body) + "\n"))
                fence = None
            elif fence is not None:
                body.append(line[indent:] if not line[:indent].strip() else line)
            else:
                self._prose(number, line, headings)
        if fence is not None:
            raise Problem(f"{self.name}:{begin - 1}: the block does not end")

    def _block(self, line, info, text):
        language, _, rest = info.partition(" ")
        # A reason has spaces; nothing stands behind it.
        words = [rest] if rest.startswith("no-run=") else rest.split()
        marks = {}
        for word in words:
            name, _, value = word.partition("=")
            if name not in MARKS or (name in ("no-run", "needs") and not value):
                raise Problem(f"{self.name}:{line - 1}: `{word}` is none of no-run=REASON, needs=SERVICE, serves and fails")
            marks[name] = value
        return Block(self.name, line, language, marks, text)

    def _prose(self, number, line, headings):
        heading = re.match(r"#{1,6} +(.*?) *#*$", line)
        if heading:
            anchor = slug(heading[1])
            seen = headings.get(anchor, 0)
            headings[anchor] = seen + 1
            self.anchors.add(f"{anchor}-{seen}" if seen else anchor)
        plain = re.sub(r"(`+).*?\1", "", line)
        found = re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", plain) + re.findall(r"(?:src|href)=\"([^\"]+)\"", plain)
        self.links += [Link(self.name, number, target) for target in found]


def slug(heading):
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    kept = "".join(c for c in text.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def documents(root):
    """The documents for people: README.md and docs/*.md."""
    found = sorted(path.name for path in (pathlib.Path(root) / "docs").glob("*.md"))
    return [Document(root, name) for name in ["README.md"] + [f"docs/{name}" for name in found]]


def broken_links(documents, pending=()):
    """What links lead nowhere, one line each. `pending` are files that may be missing."""
    known = {document.name: document for document in documents}
    for document in documents:
        for link in document.links:
            problem = _problem_of_link(document, link, known, pending)
            if problem:
                yield f"{link.document}:{link.line}: the link to {link.target} {problem}"


def _problem_of_link(document, link, known, pending):
    parts = urllib.parse.urlsplit(link.target)
    if parts.scheme or parts.netloc:
        return None
    here = document.root / document.name
    path = (here.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else here.resolve()
    name = str(path.relative_to(document.root.resolve())) if path.is_relative_to(document.root.resolve()) else None
    if name is None:
        return "leads out of the repository"
    if not path.exists():
        return None if name in pending else "leads to nothing"
    if parts.fragment and path.suffix == ".md":
        there = known.get(name) or Document(document.root, name)
        if parts.fragment not in there.anchors:
            return "names no heading there"
    return None


def static_problem(block):
    """What is wrong with a block that is looked at and not run; None when nothing is."""
    if block.language in OTHER_NAMES:
        return f"{block.place}: `{block.language}` is not run: write `{OTHER_NAMES[block.language]}`"
    try:
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "python":
            compile(block.text, block.place, "exec", dont_inherit=True)
        elif block.language in ("yaml", "yml") and yaml is not None:
            list(yaml.safe_load_all(block.text))
    except (ValueError, SyntaxError) as error:
        return f"{block.place}: the {block.language} block cannot be read: {error}"
    except Exception as error:  # yaml.YAMLError, where there is yaml
        return f"{block.place}: the {block.language} block cannot be read: {error}"
    return None


def missing_from_lists(root):
    """What the code lists and its document does not: the codes of refusals and of errors, and the routes."""
    root = pathlib.Path(root)
    lists = [
        ("engine/src/lora/codes.rs", r'pub const \w+: &str = "(adapter_\w+)"', "docs/adapters.md", "`{}`"),
        ("gateway/src/error/catalogue.rs", r'(?:refused|refused_for_good|later)\([^"]*"(\w+)"|code: "(\w+)"', "docs/api.md", "`{}`"),
        ("gateway/src/router.rs", r'^        (get|post|put|patch|delete)\("([^"]+)"', "docs/api.md", "`{} {}`"),
    ]
    for source, pattern, document, form in lists:
        code = (root / source).read_text(encoding="utf-8").split("#[cfg(test)]")[0]
        text = (root / document).read_text(encoding="utf-8")
        found = [[part for part in match.groups() if part] for match in re.finditer(pattern, code, re.M)]
        if not found:
            yield f"{source}: nothing is found to compare with {document}"
        for parts in found:
            name = form.format(parts[0].upper(), *parts[1:]) if len(parts) == 2 else form.format(parts[0])
            # What belongs to the page for people is told by the page alone.
            if name not in text and not name.startswith("`GET /docs/"):
                yield f"{document}: {name} of {source} is missing"
