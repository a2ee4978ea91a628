"""Health in words: the worker's as a sentence, how far it is behind, and each check as a line."""

from typing import Final

from msgspec import Struct

from faultwire_shared.health import CheckReport, Report

LANE: Final = "lane "
"""Before the name of a lane, whose check answers with the age of what waits longest in it."""
_LAGS: Final = ("loop", "outbox")
"""Other checks that answer with how late something is, instead of how long they took."""
_ASKED: Final = {
    "store": "The database answers.",
    "rights": "The database's role may do what a worker does.",
    "connections": "There is room for more connections.",
    "loop": "The worker takes its turns in time.",
    "outbox": "Notifications go out when they are due.",
    "broker": "RabbitMQ answers.",
    "heartbeat": "Who listens for a sign of life hears one.",
    "rules": "The rules in use are those of their file.",
    "read replica": "The replica is there and not far behind.",
    "disk": "The database has room to grow.",
}
_STATUSES: Final = {"pass": "passes", "warn": "warns", "fail": "failing"}
_TONES: Final = {"pass": "ok", "warn": "soft", "fail": "no"}
NOT_HERE: Final = "the reason is told on the worker's own machine, to who signs in, and in its log"


class HealthWords(Struct, frozen=True):
    """The worker's health as a sentence, and whether all is well."""

    text: str
    is_well: bool


class CheckLine(Struct, frozen=True, kw_only=True):
    """A check as a line."""

    name: str
    asked: str
    """What holds where it passes."""
    status: str
    tone: str
    measured: str
    why: str


def health_words(report: Report) -> HealthWords:
    """Return a report of checks in a few words: the first that does not pass is named."""
    wrong = [check["name"] for check in report["checks"] if check["status"] != "pass"]
    total = len(report["checks"])
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return HealthWords(f"{wrong[0].replace('_', ' ')}{more} failing", is_well=False)
    behind = seconds_behind(report)
    lag = "" if behind is None else f" · {behind:.0f} s behind"
    return HealthWords(f"all {total} checks pass{lag}" if total > 1 else "healthy", is_well=True)


def seconds_behind(report: Report) -> float | None:
    """Return how long the oldest event in the worker's hands waits to be stored; None where no lane says."""
    lanes = [check for check in report["checks"] if check["name"].startswith(LANE)]
    lags = [check["response_time"] for check in lanes if "response_time" in check]
    return max(lags, default=None)


def check_lines(report: Report, *, tells_reasons: bool) -> tuple[CheckLine, ...]:
    """Return each check as a line; reasons name users, hosts and queues, and are not for everybody."""
    return tuple(_line(check, tells_reasons=tells_reasons) for check in report["checks"])


def _line(check: CheckReport, *, tells_reasons: bool) -> CheckLine:
    name, status = check["name"], check["status"]
    is_lane = name.startswith(LANE)
    lane = f"Events of the lane {name.removeprefix(LANE)} come in, and are stored in time."
    why = "" if status == "pass" else check.get("error", "") if tells_reasons else NOT_HERE
    return CheckLine(
        name=name,
        asked=lane if is_lane else _ASKED.get(name, ""),
        status=_STATUSES[status],
        tone=_TONES[status],
        measured=_measured(check, is_lag=is_lane or name in _LAGS),
        why=why,
    )


def _measured(check: CheckReport, *, is_lag: bool) -> str:
    seconds = check.get("response_time")
    if seconds is None:
        return ""
    return f"{seconds:.1f} s late" if is_lag else f"{1000 * seconds:.1f} ms"
