"""What code writes of deploy/kubernetes: rules for Prometheus' operator, and the dashboard as a ConfigMap."""

from pathlib import Path
from textwrap import indent
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_COMPONENTS: Final = _ROOT / "deploy/kubernetes/components"
RULES: Final = _ROOT / "deploy/prometheus/faultwire.rules.yml"
RULE_TARGET: Final = _COMPONENTS / "prometheus/prometheusrule.yaml"
DASHBOARD_TARGET: Final = _COMPONENTS / "grafana/dashboard.yaml"
_GROUPS: Final = "\ngroups:\n"

_RULE_HEAD: Final = """\
# Written by `make reference`: what deploy/prometheus/faultwire.rules.yml holds, for Prometheus' operator.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: faultwire
spec:
"""
_DASHBOARD_HEAD: Final = """\
# Written by `make reference`: deploy/grafana/faultwire.json. Grafana's sidecar finds it by the label.
apiVersion: v1
kind: ConfigMap
metadata:
  name: faultwire-dashboard
  labels:
    grafana_dashboard: "1"
data:
  faultwire.json: |
"""


def prometheus_rule() -> str:
    """The alert rules as an object of the operator's, word by word."""
    _, groups, rules = RULES.read_text().partition(_GROUPS)
    return _RULE_HEAD + indent(groups.lstrip("\n") + rules, "  ")


def dashboard_map(dashboard: str) -> str:
    """The dashboard as Grafana's sidecar takes it."""
    return _DASHBOARD_HEAD + indent(dashboard, "    ")
