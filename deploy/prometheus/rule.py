#!/usr/bin/env python3
"""Writes the PrometheusRule of deploy/kubernetes/monitoring from recording.yml and alerts.yml: `python3 deploy/prometheus/rule.py`.

Text, not YAML, so that comments stay and nothing need be installed.
"""

from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE.parent / "kubernetes" / "monitoring" / "prometheus-rule.yaml"
HEAD = """\
# Written by deploy/prometheus/rule.py from recording.yml and alerts.yml beside it: change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tenora
  namespace: tenora
  labels: { app.kubernetes.io/name: tenora }
spec:
  groups:
"""


def written():
    """The manifest's text."""
    groups = []
    for name in ["recording.yml", "alerts.yml"]:
        _, text = (HERE / name).read_text(encoding="utf-8").split("\ngroups:\n", 1)
        groups += [f"  {line}" if line else "" for line in text.rstrip("\n").split("\n")] + [""]
    return HEAD + "\n".join(groups).rstrip("\n") + "\n"


if __name__ == "__main__":
    TARGET.write_text(written(), encoding="utf-8")
