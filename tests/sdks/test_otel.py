"""OpenTelemetry's SDKs, told by the environment where to: their exceptions arrive as events with frames."""

import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from tests.sdks import npm
from tests.sdks.reporting import Reported, crash_of, only
from tests.sdks.running import PROGRAMS, run_to_end

TOKENS: Final = ("otel-python", "otel-json", "otel-proto")

pytestmark = pytest.mark.timeout(240)


def told(reported: Reported, service: str) -> dict[str, str]:
    """What the guide says, and nothing else."""
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": reported.worker.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization={quote('Bearer ' + reported.tokens[service])}",
    }


def look_at(events: list[dict[str, Any]], incidents: dict[str, int], function: str) -> dict[str, Any]:
    """What every program of OpenTelemetry's reports here; one of its payments."""
    assert sorted(incidents.values()) == [1, 1, 3], incidents
    payments = only(events, "PaymentError")
    assert {one["exceptions"][0]["value"] for one in payments} == {
        f"gateway refused order {order}" for order in (17, 18, 19)
    }
    assert {crash_of(one)[0] for one in payments} == {function}
    assert {one["severity"] for one in payments} == {"high"}
    (line,) = [one for one in events if one["message"] == "no stock left"]
    assert line["severity"] == "high"
    return payments[-1]


def test_what_python_exports_arrives_with_its_causes_and_frames(reported: Reported, tmp_path: Path) -> None:
    settings = told(reported, "otel-python")
    run_to_end([sys.executable, "-m", f"{PROGRAMS}.otel"], tmp_path, settings)
    events = reported.wait_for("otel-python", 5)
    payment = look_at(events, reported.incidents("otel-python"), "pay")
    assert [one["type"] for one in payment["exceptions"]] == ["PaymentError", "ConnectionError"]
    assert crash_of(payment, cause=1)[0] == "charge"
    (span,) = only(events, "LookupError")
    assert len(span["trace_id"]) == 32, "one failure in two spans is one event"


@pytest.mark.parametrize("kind", ["json", "proto"])
def test_what_node_exports_arrives_with_its_frames(
    kind: str, reported: Reported, modules: Path, tmp_path: Path
) -> None:
    service = f"otel-{kind}"
    program = npm.place_program("otel_shop.mjs", modules, tmp_path)
    run_to_end([str(npm.NODE), str(program), kind], tmp_path, told(reported, service))
    events = reported.wait_for(service, 5)
    payment = look_at(events, reported.incidents(service), "pay")
    assert (payment["release"], payment["environment"]) == ("1.4.2", "staging")
    (span,) = only(events, "RangeError")
    assert span["exceptions"][0]["value"] == "no address"
    assert span["transaction"] == "GET /orders/:id/send"
