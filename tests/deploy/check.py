"""Everything in deploy/ held against a server and against itself: `check.py --metrics FILE` with a scrape of one."""

import argparse
import inspect
import sys
from pathlib import Path

import documents
import image
import manifests
import queries

CHECKS = [
    queries.snapshot,
    queries.expressions,
    documents.alerts,
    documents.runbook,
    documents.runbook_queries,
    documents.generated,
    documents.boards,
    image.sources_exist,
    image.cargo_finds_its_files,
    image.versions,
    manifests.schemas,
    manifests.kustomized,
    manifests.pods,
    manifests.ports,
    manifests.times,
    manifests.secrets,
    manifests.compose_schema,
    manifests.compose_services,
    manifests.collector,
    manifests.settings,
    manifests.listening,
]


def run(check, tree, metrics):
    """What a check has found."""
    return check(tree, metrics) if "metrics" in inspect.signature(check).parameters else check(tree)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--metrics", type=Path, required=True, help="what a server answers at /metrics")
    text = arguments.parse_args().metrics.read_text(encoding="utf-8")
    metrics = queries.exposed(text)
    bare = sorted(name for name, labels in metrics.items() if labels is None)
    if bare:
        print(f"note: {len(bare)} metrics have no sample, so that their labels are not checked: {', '.join(bare)}")
    tree, failed = Path(__file__).resolve().parents[2], 0
    for check in CHECKS:
        problems = run(check, tree, metrics)
        print(f"{'ok    ' if not problems else 'FAILED'} {check.__module__}: {check.__doc__.splitlines()[0]}")
        for problem in problems:
            print(f"  {problem}")
        failed += len(problems)
    print(f"{len(metrics)} metrics, {len(CHECKS)} checks, {failed} problems.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
