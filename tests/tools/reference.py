"""References that code writes, from metrics to the command line; ``make reference`` writes all.

A document has each between two markers, and a test compares.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from ruamel.yaml import YAML
from tests.tools import dashboard, manifests
from tests.tools.log_lines import log_lines
from tests.tools.references import asyncapi
from tests.tools.references.codes import dead_letter_table, error_table
from tests.tools.references.commands import command_sections, shared_options
from tests.tools.references.routes import routes_table
from tests.tools.references.settings import settings_table

from faultwire_consumer.gateway.reports.metrics import GatewayMetrics
from faultwire_consumer.ingest.receive.dead_queue import DEAD_LANE
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.postgresql.roles import read_roles
from faultwire_consumer.worker.exposition.first_series import show_first_series, show_gateway_series
from faultwire_shared.event import Lane
from faultwire_shared.logging.log_events import LOG_CURES, LOG_EVENTS

ROOT: Final = Path(__file__).parents[2]
CONSUMER: Final = ROOT / "consumer/docs"
SHARED: Final = ROOT / "shared/docs"
DEPLOY: Final = ROOT / "deploy/docs"
RULES: Final = manifests.RULES
VALUES_MOST: Final = 8
"""Values of a label that are told by name."""
_EXPOSED: Final = {"counter": "_total", "info": "_info"}
_VARIABLE: Final = re.compile(r"\{\{ \$(?:labels\.)?(\w+)(?: \| \w+)? \}\}")


class MetricLine(Struct, frozen=True, kw_only=True):
    """What stands of a metric in the reference."""

    name: str
    kind: str
    labels: Mapping[str, Sequence[str]]
    """Values that are known before, in their order."""
    text: str


class Copied(Struct, frozen=True, kw_only=True):
    """A file that code writes, for those who have the repository and no faultwire."""

    path: Path
    write: Callable[[], str]


class Reference(Struct, frozen=True, kw_only=True):
    """A part of a document that code writes."""

    path: Path
    name: str
    write: Callable[[], str]


def worker_registry() -> CollectorRegistry:
    """The registry of a worker with a broker and a gateway, before its first event."""
    metrics = Metrics()
    show_first_series(metrics, [*Lane, DEAD_LANE])
    show_gateway_series(GatewayMetrics(metrics.registry))
    return metrics.registry


def all_metrics() -> list[MetricLine]:
    """Every metric that is ours, in the order of names."""
    lines = [_line(family, labels) for family, labels in _families(worker_registry())]
    return sorted((one for one in lines if one.name.startswith("faultwire_")), key=lambda one: one.name)


def _families(registry: CollectorRegistry) -> Iterator[tuple[Metric, tuple[str, ...]]]:
    # prometheus_client tells nobody which labels a metric without series has.
    for collector in registry._collector_to_names:
        for family in collector.collect():
            yield family, getattr(collector, "_labelnames", ())


def _line(family: Metric, names: tuple[str, ...]) -> MetricLine:
    known: dict[str, dict[str, None]] = {name: {} for name in names}
    for sample in family.samples:
        for name, value in sample.labels.items():
            if name != "le":
                known.setdefault(name, {})[value] = None
    labels = {name: list(values) for name, values in known.items()}
    exposed = family.name + _EXPOSED.get(family.type, "")
    return MetricLine(name=exposed, kind=family.type, labels=labels, text=family.documentation)


def metrics_table() -> str:
    """The reference of metrics."""
    lines = ["| metric | type | labels | says |", "|---|---|---|---|"]
    for one in all_metrics():
        labels = "; ".join(_label(name, values) for name, values in one.labels.items())
        lines.append(f"| `{one.name}` | {one.kind} | {labels} | {one.text} |")
    return "\n".join(lines)


def _label(name: str, values: Sequence[str]) -> str:
    if 1 < len(values) <= VALUES_MOST:
        return f"`{name}`: `{' '.join(values)}`"
    return f"`{name}`"


def alerts() -> list[dict[str, Any]]:
    """Every rule of the file."""
    document = YAML(typ="safe").load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def alert_sections() -> str:
    """The reference of alerts: a section each, to which the alert links."""
    sections: dict[str, list[str]] = {}
    for rule in alerts():
        said = rule["annotations"]
        after = f", after {rule['for']}" if "for" in rule else ", at once"
        sections.setdefault(rule["alert"], [f"## {rule['alert']}"]).append(
            f"{_plain(said['summary'])} ({rule['labels']['severity']}{after})\n\n{_plain(said['cure'])}\n\n"
            f"```promql\n{rule['expr'].strip()}\n```"
        )
    return "\n\n".join("\n\n".join(section) for section in sections.values())


def _plain(text: str) -> str:
    return _VARIABLE.sub(lambda found: "…" if found[1] == "value" else f"*{found[1]}*", text)


def log_table() -> str:
    """The reference of log events, in the order of names."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in log_lines():
        one = found.setdefault(line.event, {"levels": [], "fields": []})
        one["levels"] += [line.level] if line.level not in one["levels"] else []
        one["fields"] += [field for field in line.fields if field not in one["fields"]]
    lines = ["| event | level | fields | means | do |", "|---|---|---|---|---|"]
    for event, text in sorted(LOG_EVENTS.items()):
        fields = " ".join(f"`{field}`" for field in found[event]["fields"])
        levels = ", ".join(found[event]["levels"])
        lines.append(f"| `{event}` | {levels} | {fields} | {text} | {LOG_CURES.get(event, '')} |")
    return "\n".join(lines)


REFERENCES: Final = (
    Reference(path=CONSUMER / "reference/metrics.md", name="metrics", write=metrics_table),
    Reference(path=CONSUMER / "reference/configuration.md", name="settings", write=settings_table),
    Reference(path=CONSUMER / "reference/command-line.md", name="shared options", write=shared_options),
    Reference(path=CONSUMER / "reference/command-line.md", name="commands", write=command_sections),
    Reference(path=CONSUMER / "reference/api.md", name="routes", write=routes_table),
    Reference(path=CONSUMER / "operate/dead-letters.md", name="reasons", write=dead_letter_table),
    Reference(path=SHARED / "reference/error-codes.md", name="error codes", write=error_table),
    Reference(path=DEPLOY / "reference/alerts.md", name="alerts", write=alert_sections),
    Reference(path=DEPLOY / "reference/log-events.md", name="log events", write=log_table),
)


FILES: Final = (
    Copied(path=asyncapi.TARGET, write=asyncapi.asyncapi_text),
    Copied(path=dashboard.TARGET, write=dashboard.dashboard),
    Copied(path=manifests.RULE_TARGET, write=manifests.prometheus_rule),
    Copied(path=manifests.DASHBOARD_TARGET, write=lambda: manifests.dashboard_map(dashboard.dashboard())),
    Copied(path=ROOT / "deploy/postgresql/roles.sql", write=read_roles),
)


def with_reference(document: str, name: str, text: str) -> str:
    """A document with a reference put between its markers.

    Raises:
        ValueError: the document lacks the markers.
    """
    begin, end = f"<!-- {name}: written by make reference -->", f"<!-- end of {name} -->"
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"no place for {name}: {begin} … {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def write_all() -> None:
    """Bring every reference and file up to date."""
    for one in REFERENCES:
        one.path.write_text(with_reference(one.path.read_text(), one.name, one.write()))
    for file in FILES:
        file.path.parent.mkdir(exist_ok=True)
        file.path.write_text(file.write())


if __name__ == "__main__":
    write_all()
