#!/usr/bin/env python3
"""Writes the boards in dashboards/, so that panels of one kind look alike: `python3 deploy/grafana/boards.py`.

A board is a list of rows, a row a title and panels, a panel a function below. `$instance` and `$__rate_interval` are
Grafana's own; `{me}` becomes the selector of the chosen servers.
"""

import json
from pathlib import Path

DASHBOARDS = Path(__file__).parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24


def query(expression, legend=""):
    """An expression; metrics are given their selector by `{me}`, or `{me,` before further labels."""
    expression = expression.replace("{me,", '{instance=~"$instance",').replace("{me}", '{instance=~"$instance"}')
    return {"expr": expression, "legendFormat": legend}


def panel(kind, title, queries, unit="short", help="", width=8, **defaults):
    options = {"tooltip": {"mode": "multi", "sort": "desc"}} if kind == "timeseries" else {}
    if kind == "stat":
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area", "colorMode": "value"}
    return {
        "type": kind,
        "title": title,
        "description": help,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, **defaults}, "overrides": []},
        "options": options,
        "targets": [{"refId": chr(ord("A") + n), "datasource": SOURCE, **one} for n, one in enumerate(queries)],
        "gridPos": {"w": width, "h": 4 if kind == "stat" else 8},
    }


def graph(title, *queries, **more):
    return panel("timeseries", title, queries, **more)


def stacked(title, *queries, **more):
    return graph(title, *queries, custom={"stacking": {"mode": "normal"}, "fillOpacity": 30}, **more)


def stat(title, expression, good=None, bad=None, unit="short", **more):
    """One number; red at `bad`, and green at least at `good`, whichever is the larger end."""
    steps = [{"color": "green", "value": None}]
    if bad is not None and good is not None:
        low, high = ("green", "red") if bad > good else ("red", "green")
        steps = [{"color": low, "value": None}, {"color": high, "value": max(bad, good)}]
    thresholds = {"mode": "absolute", "steps": steps}
    return panel("stat", title, [query(expression)], unit=unit, width=4, thresholds=thresholds, **more)


def quantiles(title, metric, by="", unit="s", of=(0.5, 0.95, 0.99), **more):
    """Quantiles of a histogram, over the chosen servers."""
    groups = ", ".join(filter(None, [by, "le"]))
    legend = f" {{{{{by}}}}}" if by else ""
    wanted = [
        query(
            f"histogram_quantile({q}, sum by ({groups}) (rate({metric}_bucket{{me}}[$__rate_interval])))",
            f"p{round(100 * q)}{legend}",
        )
        for q in of
    ]
    return graph(title, *wanted, unit=unit, **more)


def mean(metric, legend):
    """The mean of a histogram, over the chosen servers."""
    rate = "sum(rate({}{{me}}[$__rate_interval]))"
    return query(f"{rate.format(metric + '_sum')} / {rate.format(metric + '_count')}", legend)


def variable(name, text, metric, label):
    return {
        "name": name,
        "label": text,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": f"label_values({metric}, {label})", "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def board(uid, title, description, rows, variables=()):
    panels, y = [], 0
    for row, members in rows:
        panels.append(
            {"type": "row", "title": row, "collapsed": False, "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}}
        )
        x, y, height = 0, y + 1, 0
        for member in members:
            place = member["gridPos"]
            if x + place["w"] > COLUMNS:
                x, y, height = 0, y + height, 0
            member["gridPos"] = {"x": x, "y": y, **place}
            x, height = x + place["w"], max(height, place["h"])
            panels.append(member)
        y += height
    for number, one in enumerate(panels, 1):
        one["id"] = number
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    instance = variable("instance", "Server", "tenora_build_info", "instance")
    links = [{"type": "dashboards", "title": "Tenora", "tags": ["tenora"], "keepTime": True, "includeVars": True}]
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["tenora"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": links,
        "templating": {"list": [source, instance, *variables]},
        "panels": panels,
    }


def overview():
    signals = [
        stat("Servers that answer", 'sum(up{job="tenora",instance=~"$instance"})', good=1, bad=0),
        stat("Generations a second", "sum(rate(tenora_requests_total{me}[$__rate_interval]))", unit="reqps"),
        stat(
            "Failed",
            'sum(rate(tenora_requests_total{me,outcome=~"failed|cut_off"}[$__rate_interval]))'
            " / sum(rate(tenora_requests_total{me}[$__rate_interval]))",
            good=0,
            bad=0.02,
            unit="percentunit",
            help="Ended with an error or half-way. Clients that hung up are not counted.",
        ),
        stat(
            "First token, p99",
            "histogram_quantile(0.99, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{me}[$__rate_interval])))",
            good=0,
            bad=5,
            unit="s",
        ),
        stat("Tokens a second", "sum(rate(vllm:generation_tokens_total{me}[$__rate_interval]))"),
        stat("Alerts", 'sum(ALERTS{alertstate="firing",alertname=~"Tenora.*"}) or vector(0)', good=0, bad=1),
        stacked(
            "Generations by outcome",
            query("sum by (outcome) (rate(tenora_requests_total{me}[$__rate_interval]))", "{{outcome}}"),
            unit="reqps",
        ),
        stacked(
            "HTTP answers by status",
            query("sum by (code) (rate(tenora_http_requests_total{me}[$__rate_interval]))", "{{code}}"),
            unit="reqps",
        ),
        quantiles(
            "HTTP requests to the last byte, p95 by route", "tenora_http_request_seconds", by="route", of=(0.95,)
        ),
        quantiles("Time to the first token", "vllm:time_to_first_token_seconds"),
        quantiles("Time between tokens", "vllm:inter_token_latency_seconds"),
        quantiles("Whole requests", "vllm:e2e_request_latency_seconds"),
    ]
    engine = [
        graph(
            "Tokens a second",
            query("sum(rate(vllm:prompt_tokens_total{me}[$__rate_interval]))", "prompt"),
            query("sum(rate(vllm:generation_tokens_total{me}[$__rate_interval]))", "generated"),
        ),
        quantiles("Time of a step", "tenora_step_seconds"),
        graph(
            "In a step, on average",
            mean("vllm:iteration_tokens_total", "rows"),
            mean("tenora_step_adapters", "different adapters, the base among them"),
        ),
        stacked(
            "Where a request's time goes, on average",
            mean("tenora_gateway_overhead_seconds", "gateway"),
            mean("vllm:request_queue_time_seconds", "queue"),
            mean("vllm:request_prefill_time_seconds", "prefill"),
            mean("vllm:request_decode_time_seconds", "decode"),
            unit="s",
        ),
        quantiles("What the gateway adds", "tenora_gateway_overhead_seconds"),
        graph(
            "Length of requests, on average",
            mean("vllm:request_prompt_tokens", "prompt tokens"),
            mean("vllm:request_generation_tokens", "generated tokens"),
        ),
    ]
    memory = [
        graph(
            "Sequences",
            query("sum by (instance) (vllm:num_requests_running{me})", "running, {{instance}}"),
            query("sum by (instance) (vllm:num_requests_waiting{me})", "waiting, {{instance}}"),
        ),
        graph(
            "Queue, of its limit",
            query('tenora:queue_used:ratio{instance=~"$instance"}', "{{instance}}"),
            unit="percentunit",
            min=0,
            max=1,
        ),
        quantiles("Wait in the queue", "vllm:request_queue_time_seconds"),
        graph(
            "KV cache in use",
            query("vllm:kv_cache_usage_perc{me}", "{{instance}}"),
            unit="percentunit",
            min=0,
            max=1,
            help="Blocks that sequences hold. The others keep prefixes until they are needed.",
        ),
        graph(
            "Preemptions and missed deadlines a second",
            query("sum(rate(vllm:num_preemptions_total{me}[$__rate_interval]))", "preemptions"),
            query("sum(rate(tenora_deadlines_missed_total{me}[$__rate_interval]))", "missed deadlines"),
        ),
        graph(
            "Prompt tokens found in the prefix cache",
            query(
                "sum(rate(vllm:prefix_cache_hits_total{me}[$__rate_interval]))"
                " / sum(rate(vllm:prefix_cache_queries_total{me}[$__rate_interval]))",
                "found",
            ),
            unit="percentunit",
            min=0,
            max=1,
        ),
    ]
    around = [
        graph("Dependencies", query("min by (dependency) (tenora_dependency_up{me})", "{{dependency}}"), min=0, max=1),
        graph(
            "Usage rows that wait for the database",
            query("sum by (instance) (tenora_usage_pending_events{me})", "{{instance}}"),
        ),
        graph(
            "Telemetry that was not delivered, a minute",
            query(
                '60 * sum by (signal) (rate(tenora_telemetry_exports_total{me,outcome="failed"}[$__rate_interval]))',
                "{{signal}}",
            ),
        ),
        graph(
            "Versions",
            query("count by (version) (tenora_build_info{me})", "{{version}}"),
            query("sum(tenora_draining{me})", "stopping"),
            help="Servers by version, and those that drain.",
        ),
    ]
    return board(
        "tenora-overview",
        "Tenora overview",
        "Traffic, errors, latency and saturation of the servers, and of the engine within.",
        [("Golden signals", signals), ("Engine", engine), ("Queue and KV cache", memory), ("Around it", around)],
    )


def adapters():
    use = [
        stat(
            "Found in memory",
            "sum(rate(tenora_adapter_hits_total{me}[$__rate_interval]))"
            " / (sum(rate(tenora_adapter_hits_total{me}[$__rate_interval]))"
            " + sum(rate(tenora_adapter_misses_total{me}[$__rate_interval])))",
            good=0.7,
            bad=0,
            unit="percentunit",
        ),
        stat("In memory", 'sum(tenora_adapters{me,state="resident"})'),
        stat("Waited for", 'sum(tenora_adapters{me,state=~"loading|waiting"})'),
        stat("Out of service", 'sum(tenora_adapters{me,state="disabled"})', good=0, bad=1),
        stat(
            "Memory used",
            "sum(tenora_adapter_memory_bytes{me}) / sum(tenora_adapter_memory_limit_bytes{me})",
            unit="percentunit",
        ),
        stat("Loads that failed, 1 h", "sum(increase(tenora_adapter_load_failures_total{me}[1h]))", good=0, bad=1),
        graph(
            "Requests by whether their adapter was in memory",
            query("sum(rate(tenora_adapter_hits_total{me}[$__rate_interval]))", "in memory"),
            query("sum(rate(tenora_adapter_misses_total{me}[$__rate_interval]))", "not"),
            unit="reqps",
        ),
        graph("Adapters by state", query("sum by (state) (tenora_adapters{me})", "{{state}}")),
        quantiles("Different adapters in one step", "tenora_step_adapters", unit="short"),
    ]
    cold = [
        quantiles("How long requests waited for a load", "tenora_adapter_cold_wait_seconds"),
        quantiles(
            "Loads by tier",
            "tenora_adapter_load_seconds",
            by="tier",
            of=(0.5, 0.95),
            help="blob: from the blob store to local disk. disk: from there into the engine's memory.",
        ),
        graph(
            "Loads a second by tier",
            query("sum by (tier) (rate(tenora_adapter_load_seconds_count{me}[$__rate_interval]))", "{{tier}}"),
            query("sum(rate(tenora_adapter_load_failures_total{me}[$__rate_interval]))", "failed"),
        ),
    ]
    room = [
        graph(
            "Adapters' memory",
            query("sum by (instance) (tenora_adapter_memory_bytes{me})", "used, {{instance}}"),
            query("sum by (instance) (tenora_adapter_memory_limit_bytes{me})", "limit, {{instance}}"),
            unit="bytes",
        ),
        stacked(
            "Evictions a second",
            query("sum by (reason) (rate(tenora_adapter_evictions_total{me}[$__rate_interval]))", "{{reason}}"),
            help="idle: nobody wanted it just then. share: its tenant had more than its share. fault: it proved faulty.",
        ),
        graph(
            "Misses, of all requests with adapters",
            query('tenora:adapter_misses:ratio_rate10m{instance=~"$instance"}', "{{instance}}"),
            unit="percentunit",
            min=0,
            max=1,
        ),
    ]
    pushes = [
        stacked(
            "Pushes an hour by outcome",
            query("3600 * sum by (outcome) (rate(tenora_pushes_total{me}[$__rate_interval]))", "{{outcome}}"),
            width=12,
        ),
        quantiles("Check, canary and commit of a push", "tenora_push_seconds", width=12),
    ]
    return board(
        "tenora-adapters",
        "Tenora adapters",
        "Whether adapters are in memory when they are wanted, and what it costs when they are not.",
        [("Use", use), ("Cold starts", cold), ("Room", room), ("Pushes", pushes)],
    )


def tenants():
    mine = '{me,tenant=~"$tenant"}'
    traffic = [
        graph(
            "Generations a second",
            query(f"sum by (tenant) (rate(tenora_requests_total{mine}[$__rate_interval]))", "{{tenant}}"),
            unit="reqps",
        ),
        graph(
            "Generations that failed or were cut off, a second",
            query(
                'sum by (tenant) (rate(tenora_requests_total{me,tenant=~"$tenant",outcome=~"failed|cut_off"}'
                "[$__rate_interval]))",
                "{{tenant}}",
            ),
            unit="reqps",
        ),
        stacked(
            "Tokens a second by kind",
            query(f"sum by (kind) (rate(tenora_tokens_total{mine}[$__rate_interval]))", "{{kind}}"),
            help="cached: input tokens that were found in the prefix cache.",
        ),
    ]
    fairness = [
        stacked(
            "Tokens a second, computed",
            query('tenora:tenant_tokens:rate10m{tenant=~"$tenant"}', "{{tenant}}"),
            help="Input and output over 10 minutes, without what was found in the cache.",
        ),
        graph(
            "Wait in the queue for a request, on average",
            query('tenora:tenant_queue_wait_seconds:mean10m{tenant=~"$tenant"}', "{{tenant}}"),
            unit="s",
        ),
        graph(
            "Share of the time spent in the queue",
            query(
                f"sum by (tenant) (rate(tenora_queue_seconds_total{mine}[$__rate_interval]))"
                " / on () group_left sum(rate(tenora_queue_seconds_total{me}[$__rate_interval]))",
                "{{tenant}}",
            ),
            unit="percentunit",
            min=0,
            max=1,
        ),
        graph(
            "Tokens, of an equal part",
            query('tenora:tenant_tokens:equal_part10m{tenant=~"$tenant"}', "{{tenant}}"),
            help="1 is an equal part among all tenants that use the servers now.",
            width=12,
        ),
        graph(
            "Jain's fairness index of tokens",
            query("tenora:tenant_tokens:jain10m", "index"),
            min=0,
            max=1,
            help="1: all get the same. 1/n: one of n gets all. It says something of fairness only while requests wait: "
            "an idle tenant gets little because it asks for little.",
            width=12,
        ),
    ]
    accounts = [
        graph(
            "Limits enforced without Redis",
            query("max by (instance) (tenora_limiter_fallback{me})", "{{instance}}"),
            min=0,
            max=1,
            help="1: Redis is away, and this server enforces its share of every limit.",
        ),
        graph(
            "Limits: what happened, an hour",
            query("sum(increase(tenora_limiter_fallbacks_total{me}[1h]))", "outages of Redis"),
            query("sum(increase(tenora_limiter_fallback_admissions_total{me}[1h]))", "let through meanwhile"),
            query("sum(increase(tenora_limiter_unsettled_total{me}[1h]))", "never settled"),
        ),
        graph("Servers that share limits", query("max(tenora_limiter_replicas{me})", "servers")),
        graph(
            "Usage rows that wait for the database",
            query("sum by (instance) (tenora_usage_pending_events{me})", "{{instance}}"),
            width=12,
        ),
        graph(
            "Usage is written and arrives",
            query("min by (instance) (tenora_usage_healthy{me})", "{{instance}}"),
            min=0,
            max=1,
            width=12,
        ),
    ]
    return board(
        "tenora-tenants",
        "Tenora tenants",
        "Who uses the servers, who waits, and whether limits and usage are exact. Beyond 1000 tenants the rest is `other`.",
        [("Traffic", traffic), ("Fairness", fairness), ("Limits and usage", accounts)],
        [variable("tenant", "Tenant", "tenora_requests_total", "tenant")],
    )


BOARDS = {"overview.json": overview, "adapters.json": adapters, "tenants.json": tenants}


def written():
    """Every board's file name and text."""
    return {name: json.dumps(make(), indent=1) + "\n" for name, make in BOARDS.items()}


if __name__ == "__main__":
    for name, text in written().items():
        (DASHBOARDS / name).write_text(text, encoding="utf-8")
