"""Alerts and their run book, boards and the scripts that write them."""

import importlib.util
import json
import re
from pathlib import Path

import queries

RUNBOOK = "https://github.com/tenora-ai/tenora/blob/main/docs/runbook.md#"
SEVERITIES = {"critical", "warning"}
# Every section of an alert answers these.
PARTS = ["**Symptom.**", "**Look at.**", "**Do.**"]


def alerts(tree):
    """Each alert says what is the matter and where its section of the run book is."""
    problems = []
    for alert in queries.rules(tree, "alerts.yml"):
        where = f"alerts.yml, `{alert['alert']}`"
        if alert.get("labels", {}).get("severity") not in SEVERITIES:
            problems.append(f"{where}: its severity must be one of {sorted(SEVERITIES)}")
        for name in ("summary", "description", "runbook_url"):
            if not alert.get("annotations", {}).get(name):
                problems.append(f"{where}: it has no annotation `{name}`")
        wanted = RUNBOOK + alert["alert"].lower()
        if alert.get("annotations", {}).get("runbook_url", wanted) != wanted:
            problems.append(f"{where}: its runbook_url must be {wanted}")
    return problems


def runbook(tree):
    """Each alert has a section of three parts with its name, each such section an alert, and links lead somewhere."""
    text = Path(tree, "docs/runbook.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^#{2,3} (Tenora\w+)\n(.*?)(?=^#{1,3} |\Z)", text, re.MULTILINE | re.DOTALL))
    named = {alert["alert"] for alert in queries.rules(tree, "alerts.yml")}
    problems = [
        f"docs/runbook.md has no section `### {name}`, which an alert points to"
        for name in sorted(named - set(sections))
    ]
    problems += [
        f"docs/runbook.md: no alert is called `{name}`; remove the section, or correct it"
        for name in sorted(set(sections) - named)
    ]
    anchors = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    problems += [
        f"docs/runbook.md links to #{link}, where nothing is"
        for link in re.findall(r"\]\(#([^)]+)\)", text)
        if link not in anchors
    ]
    for name, body in sections.items():
        problems += [f"docs/runbook.md, {name}: the part {part} is missing" for part in PARTS if part not in body]
    return problems


def runbook_queries(tree, metrics):
    """PromQL in the run book (fenced as `promql`) asks for what is there."""
    known, problems = queries.Known(metrics), []
    for rule in queries.rules(tree, "recording.yml"):
        known.record(rule["record"], None)
    text = Path(tree, "docs/runbook.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```promql\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in filter(None, (line.split(" #")[0].strip() for line in block.splitlines())):
            try:
                queries.check(line, known)
            except queries.Wrong as wrong:
                problems.append(f"docs/runbook.md: {wrong}\n    in: {line}")
    return problems


def _script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generated(tree):
    """Boards and the PrometheusRule are what their scripts write."""
    problems, folder = [], Path(tree, "deploy/grafana/dashboards")
    boards = _script(Path(tree, "deploy/grafana/boards.py")).written()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*")}
    for name in sorted(set(boards) | set(found)):
        if boards.get(name) != found.get(name):
            problems.append(
                f"deploy/grafana/dashboards/{name} is not what boards.py writes; run `python3 deploy/grafana/boards.py`"
            )
    rule = _script(Path(tree, "deploy/prometheus/rule.py"))
    if not rule.TARGET.exists() or rule.TARGET.read_text(encoding="utf-8") != rule.written():
        problems.append("prometheus-rule.yaml is not what rule.py writes; run `python3 deploy/prometheus/rule.py`")
    return problems


def boards(tree):
    """Panels do not overlap, and everything has an id of its own."""
    problems, uids = [], {}
    for path in sorted(Path(tree, "deploy/grafana/dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        if uids.setdefault(board["uid"], path.name) != path.name:
            problems.append(f"{path.name} and {uids[board['uid']]} have the same uid, and would overwrite each other")
        taken = {}
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = [
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            ]
            if place["x"] + place["w"] > 24:
                problems.append(f"{path.name}: `{panel['title']}` is wider than the board")
            for cell in cells:
                other = taken.setdefault(cell, panel["title"])
                if other != panel["title"]:
                    problems.append(f"{path.name}: `{panel['title']}` lies over `{other}`")
                    break
        ids = [panel["id"] for panel in board["panels"]]
        if len(set(ids)) != len(ids):
            problems.append(f"{path.name}: panels share an id")
    return problems
