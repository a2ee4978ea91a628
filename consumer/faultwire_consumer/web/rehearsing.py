"""Rehearsals as the API and the page ask for them: policies read, and what is compared with found."""

import asyncio
from datetime import timedelta
from typing import Final

from aiohttp import web

from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.domain.rehearsal.report import RehearsalReport
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.rehearsal.rehearser import RehearsalAsked, RehearsalFailedError
from faultwire_consumer.web.state import POLICY, REHEARSER
from faultwire_shared.taxonomy import FieldError, ValidationError

SECONDS_MIN: Final = 60
SECONDS_MAX: Final = 35 * 86400
USUAL_SECONDS: Final = 7 * 86400
CURRENT: Final = "current"
SHIPPED: Final = "shipped"
FILE: Final = "file"


async def run_rehearsal(
    request: web.Request,
    policy: str,
    *,
    since_seconds: int,
    against: str | None = None,
    against_policy: str | None = None,
) -> RehearsalReport:
    """Rehearse a policy's text, and compare it with another if one is named or given.

    Raises:
        ValidationError: a text is no policy, or a field cannot be.
        RehearsalBusyError: another rehearsal runs.
        RehearsalFailedError: there is no report; the text says why.
    """
    if not SECONDS_MIN <= since_seconds <= SECONDS_MAX:
        raise _wrong("since_seconds", f"from {SECONDS_MIN} to {SECONDS_MAX} seconds")
    if against is not None and against_policy is not None:
        raise _wrong("against_policy", "against or against_policy, not both")
    await _check("policy", policy)
    name, other = await _other(request, against, against_policy)
    rehearser = request.app[REHEARSER]
    if rehearser is None:
        raise RehearsalFailedError("this worker rehearses nothing")
    return await rehearser.run(
        RehearsalAsked(
            policy=policy, since=timedelta(seconds=since_seconds), against=name, against_policy=other
        )
    )


async def _other(request: web.Request, against: str | None, given: str | None) -> tuple[str | None, str]:
    if given is not None:
        await _check("against_policy", given)
        return FILE, given
    if against is None:
        return None, ""
    shipped = await asyncio.to_thread(shipped_text)
    return against, (request.app[POLICY]().written.text or shipped) if against == CURRENT else shipped


async def _check(field: str, text: str) -> None:
    """See that a text is a policy: zones are files, so in a thread."""
    try:
        await asyncio.to_thread(_read, text)
    except PolicyError as error:
        raise _wrong(field, f"line {error.line}: {error}") from None


def _read(text: str) -> None:
    parse_policy(text, shipped=shipped_text())


def _wrong(field: str, message: str) -> ValidationError:
    return ValidationError(errors=[FieldError(field, message)])
