"""The log as a receiver."""

import pytest
from structlog.testing import capture_logs
from tests.tools.notification import notification, notified

from faultwire_consumer.notify.sender import Sent
from faultwire_consumer.notify.senders import log
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.logging.log_events import LOG_EVENTS


@pytest.mark.parametrize(
    ("severity", "level"),
    [("low", "info"), ("medium", "warning"), ("high", "error"), ("critical", "critical")],
)
async def test_a_notification_becomes_one_line_at_the_level_of_its_severity(
    severity: str, level: str
) -> None:
    with capture_logs() as lines:
        outcome = await log.LogSender("log").send(notification(severity=ErrorSeverity(severity)))
    assert outcome == Sent()
    (line,) = lines
    assert line["event"] in LOG_EVENTS
    assert line["log_level"] == level
    assert line["incidents"] == ["INC-1"]
    assert line["idempotency_key"] == "n_17"


async def test_a_line_about_many_incidents_is_bounded_and_says_how_many() -> None:
    with capture_logs() as lines:
        await log.LogSender("log").send(notification(*(notified(number) for number in range(1000))))
    (line,) = lines
    assert len(line["incidents"]) == log.INCIDENTS_SHOWN
    assert line["incident_count"] == 1000
