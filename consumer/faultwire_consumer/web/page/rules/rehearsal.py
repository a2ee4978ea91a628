"""A rehearsal on the page: a form with the rules in use, and below it what its text would have sent."""

import asyncio
from typing import Any, Final

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.policy.shown import shown_text
from faultwire_consumer.domain.rehearsal.report import RehearsalReport
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.rehearsal.rehearser import RehearsalBusyError, RehearsalFailedError
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.told_acts import NOTHING_DONE
from faultwire_consumer.web.page.form import read_fields
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.rehearsing import CURRENT, SHIPPED, run_rehearsal
from faultwire_consumer.web.request import read_parameters
from faultwire_consumer.web.state import POLICY
from faultwire_shared.taxonomy import ValidationError

SHOWN: Final = 100
LENGTHS: Final = (
    (86400, "1 day"),
    (259200, "3 days"),
    (604800, "1 week"),
    (1209600, "2 weeks"),
    (3024000, "5 weeks"),
)
AGAINST: Final = (
    ("", "with nothing"),
    (CURRENT, "with the rules in use"),
    (SHIPPED, "with the shipped rules"),
)
_FIELDS: Final = ("policy", "since_seconds", "against")
_PATH: Final = "/rules/rehearsal"

routes = AccessRoutes()


@routes.get(_PATH, access=AccessScope.READ)
async def ask(request: web.Request) -> web.Response:
    """The form, filled with the rules in use as far as they may be shown."""
    read_parameters(request).finish()
    fields = {"policy": await _in_use(request), "since_seconds": "604800", "against": CURRENT}
    return await _show(request, fields)


@routes.post(_PATH, access=AccessScope.ACT)
async def rehearse(request: web.Request) -> web.Response:
    """Play the history to the form's text, and show what it would have sent, below the form as it was."""
    request[NOTHING_DONE] = True
    fields = dict(await read_fields(request, _FIELDS))
    try:
        report = await run_rehearsal(
            request,
            fields["policy"],
            since_seconds=_seconds(fields["since_seconds"]),
            against=fields["against"] if fields["against"] in (CURRENT, SHIPPED) else None,
        )
    except RehearsalBusyError as error:
        return await _show(request, fields, refused=str(error), status=error.status)
    except ValidationError as error:
        return await _show(
            request, fields, refused="; ".join(one.message for one in error.errors), status=400
        )
    except RehearsalFailedError as error:
        return await _show(request, fields, refused=str(error), status=409)
    return await _show(request, fields, report=report)


async def _show(
    request: web.Request,
    fields: dict[str, str],
    *,
    report: RehearsalReport | None = None,
    refused: str = "",
    status: int = 200,
) -> web.Response:
    return await show(
        request,
        "rules/rehearsal.html",
        status=status,
        fields=fields,
        lengths=LENGTHS,
        choices=AGAINST,
        refused=refused,
        report=report,
        lists=() if report is None else _lists(report),
    )


def _lists(report: RehearsalReport) -> tuple[dict[str, Any], ...]:
    """Return the lists of notifications that are shown: all of them, or what differs."""
    if report.difference is None:
        found = [("Sent", "Would have been sent", report.tally.sent, report.notifications)]
    else:
        new, missing = report.difference.new, report.difference.missing
        found = [
            ("New", "Only by the text above", new.count, new.notifications),
            ("Missing", "Only by what it is compared with", missing.count, missing.notifications),
        ]
    return tuple(
        {"title": title, "about": about, "count": count, "rows": rows[:SHOWN]}
        for title, about, count, rows in found
    )


async def _in_use(request: web.Request) -> str:
    policy = request.app[POLICY]()

    def read() -> str:
        shipped = shipped_text()
        return shown_text(policy, shipped=shipped) if policy.written.text else shipped

    return await asyncio.to_thread(read)


def _seconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < len("1000000000") else 0
