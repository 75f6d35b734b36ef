"""Expressions of rules, boards and the autoscaler, held against what a server really exposes."""

import json
import os
import re
from collections import namedtuple
from pathlib import Path

import promql_parser
import yaml
from prometheus_client.parser import text_string_to_metric_families

# What Prometheus adds to each series of a target.
TARGET_LABELS = {"job", "instance"}
# What Prometheus makes by itself.
OWN_METRICS = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}}
# What the Prometheus Operator adds, and the autoscaler's rule needs.
POD_LABELS = {"namespace", "pod"}
# Parts of a histogram, when it has no samples to read them from.
HISTOGRAM_PARTS = {"_bucket": {"le"}, "_sum": set(), "_count": set()}

Query = namedtuple("Query", "where text legend")


class Wrong(Exception):
    """What is wrong with an expression."""


def exposed(text):
    """The metrics of a scrape, each with its labels; `None` where there is a type and no sample to see labels on."""
    metrics = {}
    for family in text_string_to_metric_families(text):
        if not family.samples:
            suffixes = (
                HISTOGRAM_PARTS if family.type == "histogram" else {"_total" if family.type == "counter" else "": set()}
            )
            metrics.update({family.name + suffix: None for suffix in suffixes})
        for sample in family.samples:
            metrics.setdefault(sample.name, set()).update(sample.labels)
    return metrics


def snapshot(tree, metrics):
    """What a server exposes, and with which labels, is what tests/deploy/metrics.txt says."""
    lines = [f"{name}{{{','.join(sorted(own - {'le'}))}}}" for name, own in metrics.items() if own is not None]
    # A histogram is one name.
    now = "".join(f"{line}\n" for line in sorted(lines) if not re.search(r"_(sum|count)\{", line))
    kept = Path(tree, "tests/deploy/metrics.txt")
    if os.environ.get("TENORA_TEST_WRITE") == "1":
        kept.write_text(now, encoding="utf-8")
    before = kept.read_text(encoding="utf-8") if kept.exists() else ""
    advice = "boards and alerts of others may need it; TENORA_TEST_WRITE=1 writes the list anew"
    gone = [f"{line} is not exposed any more: {advice}" for line in sorted(set(before.split()) - set(now.split()))]
    return gone + [f"{line} is new: {advice}" for line in sorted(set(now.split()) - set(before.split()))]


class Known:
    """What can be asked for: metrics of the scrape, recording rules, Prometheus' own."""

    def __init__(self, metrics):
        self.metrics = {name: None if own is None else own | TARGET_LABELS for name, own in metrics.items()}
        self.metrics.update({name: own | TARGET_LABELS for name, own in OWN_METRICS.items()})

    def record(self, name, labels):
        self.metrics[name] = labels

    def labels(self, name):
        if name not in self.metrics:
            raise Wrong(
                f"no server exposes `{name}`, and no recording rule before it makes it. Correct the name; or, where the "
                "metric only appears with its first event, have traffic.py bring that about"
            )
        return self.metrics[name]


def check(text, known):
    """The labels of an expression's result; `None` = not to be known. Raises `Wrong` for the first mistake."""
    try:
        return _labels(promql_parser.parse(text), known)
    except ValueError as error:
        raise Wrong(f"it is no PromQL: {error}") from error


def _need(labels, wanted, of):
    if labels is not None and (missing := sorted(set(wanted) - labels)):
        has = ", ".join(sorted(labels)) or "none"
        raise Wrong(f"{of} has no label `{missing[0]}`; it has {has}")


def _selected(selector, known):
    matchers = selector.matchers.matchers
    names = [m.value for m in matchers if m.name == "__name__" and m.op == promql_parser.MatchOp.Equal]
    name = selector.name or (names[0] if names else None)
    if name is None:
        raise Wrong("a selector names no metric")
    labels = known.labels(name)
    _need(labels, [m.name for m in matchers if m.name != "__name__"], f"`{name}`")
    return labels


def _labels(node, known):
    kind = type(node).__name__
    if kind == "VectorSelector":
        return _selected(node, known)
    if kind == "MatrixSelector":
        return _selected(node.vector_selector, known)
    if kind in ("ParenExpr", "SubqueryExpr", "UnaryExpr"):
        return _labels(node.expr, known)
    if kind == "AggregateExpr":
        return _aggregated(node, known)
    if kind == "BinaryExpr":
        return _joined(node, known)
    if kind == "Call":
        return _called(node, known)
    return set()


def _called(node, known):
    vectors = [_labels(argument, known) for argument in node.args]
    if node.func.name == "histogram_quantile":
        _need(vectors[1], ["le"], "what histogram_quantile is given")
        return None if vectors[1] is None else vectors[1] - {"le"}
    if node.func.name in ("vector", "scalar", "time", "absent", "absent_over_time"):
        return set()
    if node.func.name in ("label_replace", "label_join"):
        return None
    return None if None in vectors else set().union(*vectors)


def _aggregated(node, known):
    inner = _labels(node.expr, known)
    if str(node.op) in ("topk", "bottomk"):
        return inner
    if node.modifier is None:
        return set()
    named = set(node.modifier.labels)
    _need(inner, named, "what is aggregated")
    if "By" in str(node.modifier.type):
        return named
    return None if inner is None else inner - named


def _is_number(node):
    if type(node).__name__ in ("ParenExpr", "UnaryExpr"):
        return _is_number(node.expr)
    if type(node).__name__ == "BinaryExpr":
        return _is_number(node.lhs) and _is_number(node.rhs)
    return (
        type(node).__name__ == "NumberLiteral" or type(node).__name__ == "Call" and node.func.name in ("scalar", "time")
    )


def _joined(node, known):
    left, right = _labels(node.lhs, known), _labels(node.rhs, known)
    if _is_number(node.lhs) or _is_number(node.rhs):
        return right if _is_number(node.lhs) else left
    operation, modifier = str(node.op), node.modifier
    if operation == "or":
        return None if None in (left, right) else left | right
    if modifier and modifier.matching:
        if "Include" in str(modifier.matching.type):
            _need(left, modifier.matching.labels, f"the left of `{operation}`")
            _need(right, modifier.matching.labels, f"the right of `{operation}`")
    elif None not in (left, right) and left != right:
        sides = " and ".join("{" + ", ".join(sorted(side)) + "}" for side in (left, right))
        raise Wrong(f"the sides of `{operation}` have the labels {sides}, and would never match; say `on (…)`")
    if operation in ("and", "unless"):
        return left
    card = str(modifier.card) if modifier else ""
    if "ManyToOne" in card:
        return None if left is None else left | set(modifier.group_labels or [])
    if "OneToMany" in card:
        return None if right is None else right | set(modifier.group_labels or [])
    if modifier and modifier.matching and "Include" in str(modifier.matching.type):
        return set(modifier.matching.labels)
    return left


def _grafana(text):
    return text.replace("$__rate_interval", "5m").replace("$__interval", "1m").replace("$__range", "1h")


def board_queries(tree):
    """Every panel's queries, and the variables' own."""
    for path in sorted(Path(tree, "deploy/grafana/dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield Query(f"{path.name}, panel `{panel['title']}`", _grafana(target["expr"]), target["legendFormat"])
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                asked = re.fullmatch(r"label_values\((.+), *(\w+)\)", variable["query"]["query"])
                name = f"{path.name}, variable `{variable['name']}`"
                yield Query(
                    name, asked[1] if asked else variable["query"]["query"], "{{%s}}" % asked[2] if asked else ""
                )


def rules(tree, name):
    groups = yaml.safe_load(Path(tree, "deploy/prometheus", name).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _templates(alert):
    texts = list(alert.get("annotations", {}).values()) + list(alert.get("labels", {}).values())
    return {label for text in texts for label in re.findall(r"\$labels\.(\w+)", text)}


def expressions(tree, metrics):
    """Every expression parses, and asks only for what is there."""
    known, problems = Known(metrics), []

    def tried(where, text, shown=()):
        try:
            labels = check(text, known)
            _need(labels, shown, "its result")
            return labels
        except Wrong as wrong:
            problems.append(f"{where}: {wrong}\n    in: {' '.join(text.split())}")
            return None

    for rule in rules(tree, "recording.yml"):
        labels = tried(f"recording.yml, `{rule['record']}`", rule["expr"])
        known.record(rule["record"], labels)
    for alert in rules(tree, "alerts.yml"):
        tried(f"alerts.yml, `{alert['alert']}`", alert["expr"], _templates(alert))
    for query in board_queries(tree):
        tried(query.where, query.text, set(re.findall(r"\{\{(\w+)\}\}", query.legend)))
    return problems + _autoscaler(tree, known)


def _autoscaler(tree, known):
    """What the autoscaler asks the custom metrics API for is what the adapter makes of a metric that is there."""
    folder, problems = Path(tree, "deploy/kubernetes"), []
    adapter = yaml.safe_load((folder / "monitoring/prometheus-adapter.yaml").read_text(encoding="utf-8"))
    offered = set()
    for rule in adapter["rules"]["custom"]:
        name = re.search(r'__name__="([^"]+)"', rule["seriesQuery"])[1]
        if known.metrics.get(name):
            known.record(name, known.metrics[name] | POD_LABELS)
        where = "prometheus-adapter.yaml"
        asked = rule["metricsQuery"].replace("<<.Series>>{<<.LabelMatchers>>}", name).replace("<<.GroupBy>>", "pod")
        for text in (rule["seriesQuery"], asked):
            try:
                check(text, known)
            except Wrong as wrong:
                problems.append(f"{where}: {wrong}\n    in: {text}")
        if not re.search(rule["name"]["matches"], name):
            problems.append(
                f"{where}: `{rule['name']['matches']}` does not match `{name}`, so that the rule makes nothing"
            )
        offered.add(rule["name"]["as"])
    scaler = yaml.safe_load((folder / "autoscaler.yaml").read_text(encoding="utf-8"))
    for metric in scaler["spec"]["metrics"]:
        name = metric["pods"]["metric"]["name"]
        if name not in offered:
            problems.append(
                f"autoscaler.yaml asks for `{name}`, which no rule of prometheus-adapter.yaml makes: {sorted(offered)}"
            )
    return problems
