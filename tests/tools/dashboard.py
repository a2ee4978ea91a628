"""The dashboard for Grafana, row by row; ``make reference`` writes it to deploy/grafana/faultwire.json."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

TARGET: Final = Path(__file__).parents[2] / "deploy/grafana/faultwire.json"
WIDTH: Final = 24
HEIGHT: Final = 7
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_J: Final = 'job="$job"'


class Query(Struct, frozen=True):
    """One expression, and the name of its lines."""

    expression: str
    legend: str = ""


class Panel(Struct, frozen=True):
    """A picture of a few queries; ``kind`` and ``unit`` are Grafana's words."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"
    text: str = ""
    red_above: float | None = None


class Row(Struct, frozen=True):
    """Panels that answer one question, beside each other."""

    title: str
    panels: tuple[Panel, ...]


def _rate(metric: str, by: str = "", where: str = "") -> str:
    selector = f"{_J},{where}" if where else _J
    summed = f"sum by ({by})" if by else "sum"
    return f"{summed} (rate({metric}{{{selector}}}[$__rate_interval]))"


def _quantile(share: float, metric: str, by: str = "") -> str:
    summed = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({summed}) (rate({metric}_bucket{{{_J}}}[$__rate_interval])))"


def _newest(metric: str, by: str = "", where: str = "") -> str:
    selector = f"{_J},{where}" if where else _J
    return f"max by ({by}) ({metric}{{{selector}}})" if by else f"max({metric}{{{selector}}})"


def _stat(title: str, expression: str, text: str, *, unit: str = "short", red: float | None = None) -> Panel:
    return Panel(title, (Query(expression),), unit, "stat", text, red)


_HEALTH: Final = Row(
    "Health",
    (
        _stat(
            "Workers ready", f'sum(faultwire_ready{{{_J},check="all"}})', "Of those that Prometheus reaches."
        ),
        _stat(
            "Lanes that take nothing in",
            f"count(faultwire_lane_receiving{{{_J}}} == 0) or vector(0)",
            "Of all workers.",
            red=1,
        ),
        _stat("Behind", _newest("faultwire_lag_seconds"), "0 while queues are empty.", unit="s", red=60),
        _stat(
            "Lost in an hour",
            f'sum(increase(faultwire_events_lost_total{{{_J},reason!~"ignored|not_sampled|dropped_by_processor"}}[1h]))',
            "By the reports of producers, without what they drop on purpose.",
            red=1,
        ),
        _stat("Numbers missing", _newest("faultwire_sequence_gap_events"), "Explained by nobody.", red=1),
        _stat(
            "Dead letters that wait",
            _newest("faultwire_dead_letters", where='status="waiting"'),
            "For somebody who mends, replays or discards them.",
            red=1,
        ),
    ),
)
_FLOW: Final = Row(
    "Flow",
    (
        Panel(
            "Events a second",
            (
                Query(_rate("faultwire_events_received_total", "lane"), "received, {{lane}}"),
                Query(_rate("faultwire_events_stored_total"), "stored"),
                Query(_rate("faultwire_events_duplicate_total"), "duplicates"),
                Query(_rate("faultwire_events_dead_lettered_total"), "dead letters"),
            ),
            "ops",
        ),
        Panel(
            "Events in a batch",
            (
                Query(_quantile(0.5, "faultwire_batch_events"), "p50"),
                Query(_quantile(0.99, "faultwire_batch_events"), "p99"),
            ),
        ),
        Panel(
            "Seconds of a batch",
            (
                Query(_quantile(0.5, "faultwire_batch_seconds"), "p50"),
                Query(_quantile(0.99, "faultwire_batch_seconds"), "p99"),
            ),
            "s",
        ),
        Panel(
            "Age of events when they are stored",
            (
                Query(_quantile(0.5, "faultwire_event_age_seconds"), "p50"),
                Query(_quantile(0.99, "faultwire_event_age_seconds"), "p99"),
            ),
            "s",
        ),
        Panel(
            "Incidents opened and come back in an hour",
            (
                Query(
                    f"sum by (severity) (increase(faultwire_incidents_opened_total{{{_J}}}[1h]))",
                    "opened, {{severity}}",
                ),
                Query(f"sum(increase(faultwire_incidents_regressed_total{{{_J}}}[1h]))", "came back"),
            ),
        ),
    ),
)
_QUEUES: Final = Row(
    "Queues",
    (
        Panel(
            "Messages that wait at the broker",
            (Query(_newest("faultwire_lane_ready_messages", "lane"), "{{lane}}"),),
        ),
        Panel(
            "Messages in hand",
            (Query(f"sum by (lane) (faultwire_lane_unacknowledged_messages{{{_J}}})", "{{lane}}"),),
        ),
        Panel(
            "Age of the oldest event in hand",
            (Query(_newest("faultwire_lane_oldest_seconds", "lane"), "{{lane}}"),),
            "s",
        ),
        Panel(
            "Waiting for the store",
            (Query(_newest("faultwire_lane_waiting_seconds", "instance, lane"), "{{instance}} {{lane}}"),),
            "s",
        ),
        Panel(
            "Producers, and what they hold",
            (
                Query(_newest("faultwire_producers"), "heard in five minutes"),
                Query(_newest("faultwire_spooled_events"), "events on their disks"),
            ),
        ),
    ),
)
_STORE: Final = Row(
    "Store",
    (
        Panel(
            "Seconds of statements, p99",
            (Query(_quantile(0.99, "faultwire_store_statement_seconds", "statement"), "{{statement}}"),),
            "s",
        ),
        Panel(
            "Errors a second", (Query(_rate("faultwire_store_errors_total", "class"), "{{class}}"),), "ops"
        ),
        Panel(
            "Connections",
            (Query(f"sum by (state) (faultwire_store_connections{{{_J}}})", "{{state}}"),),
        ),
        Panel(
            "Bytes",
            (
                Query(_newest("faultwire_store_bytes"), "database"),
                Query(_newest("faultwire_store_free_bytes"), "free in it"),
                Query(_newest("faultwire_store_wal_bytes"), "write-ahead log"),
                Query(f"min(faultwire_store_disk_free_bytes{{{_J}}})", "free on the disk"),
            ),
            "bytes",
        ),
        Panel(
            "Growth in a day",
            (Query(f"max(delta(faultwire_store_bytes{{{_J}}}[1d]))", "bytes"),),
            "bytes",
        ),
        Panel(
            "Days",
            (
                Query(_newest("faultwire_store_partitions"), "kept"),
                Query(_newest("faultwire_partitions_ahead"), "made ahead"),
                Query(
                    f"min(faultwire_store_disk_free_bytes{{{_J}}}) / "
                    f"(max(deriv(faultwire_store_bytes{{{_J}}}[6h])) * 86400 > 0)",
                    "until the disk is full",
                ),
            ),
            "d",
        ),
    ),
)
_NOTIFICATIONS: Final = Row(
    "Notifications",
    (
        Panel(
            "From commit to the first attempt, p99",
            (Query(_quantile(0.99, "faultwire_alert_latency_seconds", "severity"), "{{severity}}"),),
            "s",
        ),
        Panel(
            "Overdue",
            (Query(_newest("faultwire_outbox_overdue_seconds"), "oldest that is due"),),
            "s",
        ),
        Panel(
            "Attempts a minute",
            (
                Query(
                    f"60 * {_rate('faultwire_notification_attempts_total', 'receiver, outcome')}",
                    "{{receiver}} {{outcome}}",
                ),
            ),
        ),
        Panel(
            "Ended without being sent, in an hour",
            (
                Query(
                    f"sum by (reason) (increase(faultwire_notifications_stopped_total{{{_J}}}[1h])) > 0",
                    "stopped: {{reason}}",
                ),
                Query(
                    f"sum by (reason) (increase(faultwire_notifications_given_up_total{{{_J}}}[1h])) > 0",
                    "given up: {{reason}}",
                ),
            ),
        ),
    ),
)
_SERVICES: Final = Row(
    "Services",
    (
        Panel(
            "The twenty loudest, events a second",
            (Query(f"topk(20, {_rate('faultwire_service_events_total', 'service')})", "{{service}}"),),
            "ops",
        ),
        Panel(
            "Quiet for longest",
            (
                Query(
                    "topk(20, time() - "
                    + _newest(
                        "faultwire_service_last_event_timestamp_seconds", "service", 'service!="_other"'
                    )
                    + ")",
                    "{{service}}",
                ),
            ),
            "s",
            "bargauge",
        ),
    ),
)
_PROCESS: Final = Row(
    "Process",
    (
        Panel(
            "CPU",
            (Query(_rate("process_cpu_seconds_total", "instance"), "{{instance}}"),),
            "percentunit",
        ),
        Panel("Memory", (Query(f"process_resident_memory_bytes{{{_J}}}", "{{instance}}"),), "bytes"),
        Panel("Lag of the event loop", (Query(f"faultwire_loop_lag_seconds{{{_J}}}", "{{instance}}"),), "s"),
        Panel("Descriptors", (Query(f"process_open_fds{{{_J}}}", "{{instance}}"),)),
    ),
)
ROWS: Final = (_HEALTH, _FLOW, _QUEUES, _STORE, _NOTIFICATIONS, _SERVICES, _PROCESS)


def expressions() -> list[str]:
    """Every expression of the dashboard, with Grafana's variables in it."""
    return [query.expression for row in ROWS for panel in row.panels for query in panel.queries]


def dashboard() -> str:
    """The dashboard as Grafana imports it."""
    document = {
        "title": "faultwire",
        "uid": "faultwire",
        "tags": ["faultwire"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), _job()]},
        "panels": list(_placed()),
    }
    return json.dumps(document, indent=1) + "\n"


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _job() -> dict[str, Any]:
    return {
        "name": "job",
        "type": "query",
        "datasource": _SOURCE,
        "query": "label_values(faultwire_build_info, job)",
        "current": {"text": "faultwire", "value": "faultwire"},
        "refresh": 2,
    }


def _placed() -> Iterator[dict[str, Any]]:
    y, number = 0, 0
    for row in ROWS:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
        }
        y += 1
        width = WIDTH // len(row.panels)
        for index, panel in enumerate(row.panels):
            number += 1
            yield _panel(panel, number) | {"gridPos": {"x": index * width, "y": y, "w": width, "h": HEIGHT}}
        y += HEIGHT


def _panel(panel: Panel, number: int) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.red_above is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.red_above}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
            }
            for index, query in enumerate(panel.queries)
        ],
    }
