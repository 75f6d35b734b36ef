"""Each check can fail: one thing is broken in a copy of the tree, and must be found and named."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

import check
import documents
import image
import manifests
import queries

ROOT = Path(__file__).resolve().parents[2]
METRICS = queries.exposed(Path(os.environ["TENORA_TEST_METRICS"]).read_text(encoding="utf-8"))
# What checks read of the repository.
PARTS = [
    "deploy",
    "docs",
    ".dockerignore",
    ".env.example",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "LICENSE-MIT",
    "LICENSE-APACHE",
]
PARTS += ["adapter-store", "bench", "engine", "gateway", "migrations", "tests/Cargo.toml", "tests/src", "tests/deploy/metrics.txt"]

# Which check; in which file what becomes what; what its complaint must name.
BROKEN = [
    (queries.snapshot, "tests/deploy/metrics.txt", "tenora_ready{}", "tenora_readiness{}", "tenora_ready{} is new"),
    (queries.expressions, "deploy/prometheus/alerts.yml", "min by (job, instance) (tenora_usage_healthy)", "min by (job, instance) (tenora_usage_helthy)", "tenora_usage_helthy"),
    (queries.expressions, "deploy/prometheus/alerts.yml", "tenora_adapters{state=", "tenora_adapters{stat=", "no label `stat`"),
    (queries.expressions, "deploy/prometheus/alerts.yml", "expr: absent(up{", "expr: absent(up[", "no PromQL"),
    (queries.expressions, "deploy/prometheus/alerts.yml", 'summary: "{{ $labels.instance }} does', 'summary: "{{ $labels.pod }} does', "no label `pod`"),
    (queries.expressions, "deploy/prometheus/recording.yml", "sum by (job, instance) (tenora_queue_limit)", "tenora_queue_limit / on (tenant) tenora_queue_limit", "no label `tenant`"),
    (queries.expressions, "deploy/prometheus/recording.yml", "record: tenora:requests:rate5m", "record: tenora:requests:rate6m", "tenora:requests:rate5m"),
    (queries.expressions, "deploy/prometheus/recording.yml", "sum by (job, le)", "sum by (job)", "no label `le`"),
    (queries.expressions, "deploy/grafana/dashboards/overview.json", "vllm:generation_tokens_total{", "vllm:generated_tokens_total{", "overview.json, panel"),
    (queries.expressions, "deploy/grafana/dashboards/tenants.json", "label_values(tenora_requests_total, tenant)", "label_values(tenora_requests, tenant)", "variable `tenant`"),
    (queries.expressions, "deploy/kubernetes/autoscaler.yaml", "name: vllm_num_requests_waiting", "name: vllm:num_requests_waiting", "autoscaler.yaml asks for"),
    (queries.expressions, "deploy/kubernetes/monitoring/prometheus-adapter.yaml", '__name__="vllm:num_requests_waiting"', '__name__="vllm:num_requests_swapped"', "vllm:num_requests_swapped"),
    (documents.alerts, "deploy/prometheus/alerts.yml", "runbook.md#tenoradown", "runbook.md#down", "runbook_url must be"),
    (documents.alerts, "deploy/prometheus/alerts.yml", "severity: critical", "severity: page", "severity"),
    (documents.runbook, "docs/runbook.md", "### TenoraDown\n", "### TenoraUp\n", "no section `### TenoraDown`"),
    (documents.runbook, "docs/runbook.md", "### TenoraDown\n", "### TenoraUp\n", "no alert is called `TenoraUp`"),
    (documents.runbook, "docs/runbook.md", "**Do.**", "**Perhaps.**", "the part **Do.** is missing"),
    (documents.runbook, "docs/runbook.md", "(#tenoradatabasedown)", "(#tenoradatabasegone)", "#tenoradatabasegone"),
    (documents.runbook_queries, "docs/runbook.md", "tenora_dependency_up", "tenora_dependencies_up", "tenora_dependencies_up"),
    (documents.generated, "deploy/grafana/dashboards/overview.json", "Golden signals", "Golden Signals", "boards.py"),
    (documents.generated, "deploy/prometheus/alerts.yml", "for: 2m", "for: 3m", "rule.py"),
    (documents.boards, "deploy/grafana/dashboards/overview.json", '"y": 5,', '"y": 1,', "lies over"),
    (documents.boards, "deploy/grafana/dashboards/tenants.json", '"uid": "tenora-tenants"', '"uid": "tenora-overview"', "same uid"),
    (image.sources_exist, "deploy/Dockerfile", "COPY migrations migrations", "COPY migration migration", "`migration`"),
    (image.sources_exist, ".dockerignore", "!migrations\n", "", "`migrations`"),
    (image.cargo_finds_its_files, "deploy/Dockerfile", "COPY bench bench\n", "", "bench"),
    (image.cargo_finds_its_files, ".dockerignore", "engine/tests\n", "**/*.md\n", "README.md"),
    (image.cargo_finds_its_files, ".dockerignore", "engine/tests\n", "migrations/sqlite\n", "migrations/sqlite"),
    (image.versions, "deploy/Dockerfile", "FROM debian:", "FROM debian:latest AS base\nFROM debian:", "not pinned"),
    (image.versions, "deploy/Dockerfile", "FROM rust:1.", "FROM rust:0.", "rust-toolchain.toml says"),
    (image.versions, "deploy/Dockerfile", "ARG VERSION=", "ARG VERSION=9", "Cargo.toml says"),
    (manifests.schemas, "deploy/kubernetes/stateful-set.yaml", "minReadySeconds:", "minReadySecond:", "minReadySecond"),
    (manifests.schemas, "deploy/kubernetes/services.yaml", "port: 8080", "port: http", "services.yaml"),
    (manifests.schemas, "deploy/kubernetes/autoscaler.yaml", "autoscaling/v2", "autoscaling/v2beta2", "autoscaling/v2beta2"),
    (manifests.kustomized, "deploy/kubernetes/kustomization.yaml", "  - services.yaml\n", "", "does not name services.yaml"),
    (manifests.pods, "deploy/kubernetes/stateful-set.yaml", "enableServiceLinks: false", "enableServiceLinks: true", "enableServiceLinks"),
    (manifests.pods, "deploy/kubernetes/migrate-job.yaml", "tenora:0.1.0", "tenora:latest", "not pinned"),
    (manifests.pods, "deploy/kubernetes/migrate-job.yaml", "tenora:0.1.0", "tenora:0.0.9", "one image"),
    (manifests.ports, "deploy/kubernetes/stateful-set.yaml", "path: /healthz", "path: /health", "livenessProbe"),
    (manifests.ports, "deploy/kubernetes/stateful-set.yaml", 'value: "0.0.0.0:9090"', 'value: "0.0.0.0:9091"', "TENORA_OPS_LISTEN"),
    (manifests.ports, "deploy/kubernetes/services.yaml", "port: 9090", "port: 9091", "tenora-servers"),
    (manifests.times, "deploy/kubernetes/settings.env", "DRAIN_TIMEOUT_S=120", "DRAIN_TIMEOUT_S=140", "terminationGracePeriodSeconds"),
    (manifests.listening, "deploy/Dockerfile", '"health", "--alive"', '"health"', "HEALTHCHECK"),
    (manifests.times, "deploy/compose.yaml", 'DRAIN_TIMEOUT_S: "30"', 'DRAIN_TIMEOUT_S: "300"', "stop_grace_period"),
    (manifests.secrets, "deploy/compose.yaml", "${GRAFANA_ADMIN_PASSWORD:?set it in deploy/.env, openssl rand -hex 32}", "${GRAFANA_ADMIN_PASSWORD:-admin}", "GF_SECURITY_ADMIN_PASSWORD"),
    (manifests.secrets, "deploy/.env.example", "REDIS_PASSWORD=\n", "REDIS_PASSWORD=redis\n", "REDIS_PASSWORD"),
    (manifests.secrets, "deploy/kubernetes/settings.env", "AWS_REGION=", "TENORA_ADMIN_KEY=", "TENORA_ADMIN_KEY"),
    (manifests.compose_schema, "deploy/compose.yaml", "stop_grace_period:", "stop_grace:", "stop_grace"),
    (manifests.compose_services, "deploy/compose.yaml", '"127.0.0.1:${GRAFANA_PORT', '"${GRAFANA_PORT', "127.0.0.1"),
    (manifests.compose_services, "deploy/compose.yaml", "image: redis:7.4.5-bookworm", "image: redis:latest", "not pinned"),
    (manifests.compose_services, "deploy/compose.yaml", "./tempo.yaml:", "./tempo.yml:", "tempo.yml"),
    (manifests.compose_services, "deploy/compose.yaml", "tempo: { condition: service_started }", "tempo: { condition: service_healthy }", "no healthcheck"),
    (manifests.collector, "deploy/otel-collector.yaml", "exporters: [nop]", "exporters: [none]", "`none`"),
    (manifests.collector, "deploy/kubernetes/settings.env", "monitoring:4318", "monitoring:4317", "4317"),
    (manifests.settings, "deploy/kubernetes/settings.env", "TENORA_THREADS", "TENORA_CORES", "TENORA_CORES"),
    (manifests.listening, "deploy/Dockerfile", "EXPOSE 8080 9090", "EXPOSE 8080", "exposes"),
    (manifests.listening, "deploy/prometheus/prometheus.yml", "tenora:9090", "tenora:8080", "prometheus.yml"),
]


class EveryCheckCanFail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.tree = Path(cls.folder.name)
        ignore = shutil.ignore_patterns("__pycache__", "target", ".env", "golden")
        for part in PARTS:
            source, place = ROOT / part, cls.tree / part
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, ignore=ignore)
            else:
                shutil.copyfile(source, place)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_what_is_broken_is_found_and_named(self):
        for tried, file, old, new, named in BROKEN:
            with self.subTest(check=tried.__name__, file=file, new=new):
                path = self.tree / file
                whole = path.read_text(encoding="utf-8")
                self.assertTrue(old in whole, f"{file} has changed: break something else in it")
                path.write_text(whole.replace(old, new), encoding="utf-8")
                try:
                    problems = check.run(tried, self.tree, METRICS)
                finally:
                    path.write_text(whole, encoding="utf-8")
                self.assertTrue(any(named in problem for problem in problems), f"nothing names {named}: {problems}")

    def test_every_check_is_tried(self):
        self.assertEqual({tried for tried, *_ in BROKEN}, set(check.CHECKS))


class Expressions(unittest.TestCase):
    def labels(self, text):
        return queries.check(text, queries.Known({"a": {"x", "y"}, "b": {"x"}, "h_bucket": {"le", "x"}}))

    def test_labels_of_a_result(self):
        for text, expected in [
            ("a", {"x", "y", "job", "instance"}),
            ("sum by (x) (rate(a[5m]))", {"x"}),
            ("sum without (x, job) (a)", {"y", "instance"}),
            ("sum(a)", set()),
            ("a / on (x) group_left b", {"x", "y", "job", "instance"}),
            ("sum by (x) (a) / on (x) sum by (x) (b) > 3", {"x"}),
            ("histogram_quantile(0.9, sum by (le, x) (rate(h_bucket[5m])))", {"x"}),
            ("b unless on (x) a", {"x", "job", "instance"}),
            ("1 - b", {"x", "job", "instance"}),
        ]:
            with self.subTest(text):
                self.assertEqual(self.labels(text), expected)

    def test_mistakes(self):
        for text, named in [
            ("c", "`c`"),
            ("rate(a)", "no PromQL"),
            ("a{z='1'}", "`z`"),
            ("sum by (z) (a)", "`z`"),
            ("a / b", "never match"),
            ("a / on (z) b", "left of `/`"),
            ("histogram_quantile(0.9, sum by (x) (rate(h_bucket[5m])))", "`le`"),
        ]:
            with self.subTest(text), self.assertRaisesRegex(queries.Wrong, named):
                self.labels(text)


class Ignored(unittest.TestCase):
    def test_the_last_pattern_decides(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, ".dockerignore").write_text(
                "# comment\n*\n!src\n!tests/src\nsrc/a\n**/*.md\n", encoding="utf-8"
            )
            out = image.ignored(folder)
        for path, expected in [
            ("src/b/c.rs", False),
            ("src/a/b.rs", True),
            ("other", True),
            ("tests/x.rs", True),
            ("tests/src/x.rs", False),
            ("src/b/README.md", True),
        ]:
            with self.subTest(path):
                self.assertEqual(out(path), expected)


if __name__ == "__main__":
    unittest.main()
