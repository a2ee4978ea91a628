"""Nothing secret leaves a service: not on the wire, not on its disk, not in its log."""

import logging
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.tools.fake_transport import FakeTransport
from tests.tools.secret import CANARY, PLANTED, Planted

from faultwire import AuthenticationError, ErrorManager
from faultwire.publish.transport import TransportDown
from faultwire_shared.event import Event

FIELDS: Final = ("context", "user", "request")


class Loud(Exception):  # noqa: N818 - as a host's class may be called
    """Says everything that it was given."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.status = text
        self.code_name = text


def raised(text: str) -> Exception:
    """An exception with the text in its own value, a note, its cause, and a group's members."""
    loud = Loud(text)
    loud.add_note(text)
    group = ExceptionGroup(text, [loud, ValueError({"body": text})])
    group.__cause__ = KeyError(text)
    return group


def arguments(text: str) -> dict[str, Any]:
    """Every argument of ``handle_error`` that takes a text, with it."""
    return {
        "severity": text,
        "context": {"x": text, text: [text, {"y": (text, {text})}], "password": text, "bytes": text.encode()},
        "user_message": text,
        "tags": {"x": text},
        "user": {"id": "42", "name": text, "token": text},
        "request": {"url": text, "headers": {"Cookie": text, "X-Custom": text}, "body": text},
        "transaction": text,
        "fingerprint": [text],
        "template": text,
    }


def hand_over(errors: ErrorManager, text: str) -> None:
    """Three errors with the text everywhere, in a context of their own: other tests have breadcrumbs too."""
    copy_context().run(_hand_over, errors, text)


def _hand_over(errors: ErrorManager, text: str) -> None:
    errors.bind(bound=text)
    errors.add_breadcrumb(text, category=text, data={"x": text, "secret": text})
    errors.handle_error_nowait(raised(text), **arguments(text))
    errors.handle_error_nowait(AuthenticationError(text))
    errors.capture_message(text, context={"x": text})


def put_in(text: str) -> Any:
    """A step of the service that adds secrets."""

    def before_send(event: Event) -> Event:
        return msgspec.structs.replace(
            event, host=text, context=event.context | {"added": text, "token": text}
        )

    return before_send


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(planted=st.sampled_from(PLANTED))
async def test_no_secret_is_on_the_wire(planted: Planted) -> None:
    transport = FakeTransport()
    errors = ErrorManager(service="shop", transport=lambda: transport, before_send=put_in(planted.text))
    async with errors:
        hand_over(errors, planted.text)
    assert len(transport.events) == 3
    wire = b"".join(message.body for message in transport.messages).decode()
    assert planted.secret not in wire
    assert all(event.scrubbed for event in transport.events)


def read_files(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


async def test_no_secret_is_in_the_spools_files(tmp_path: Path) -> None:
    transport = FakeTransport()
    transport.open_answers.extend([TransportDown("away")] * 1000)
    async with ErrorManager(
        service="shop",
        transport=lambda: transport,
        spool_path=tmp_path,
        collapse_storms=False,
        flush_on_sigterm=False,
    ) as errors:
        for planted in PLANTED:
            hand_over(errors, planted.text)
    assert errors.stats().spooled == 3 * len(PLANTED)
    written = read_files(tmp_path)
    assert b"[scrubbed]" in written
    assert [planted for planted in PLANTED if planted.secret.encode() in written] == []


def test_no_secret_is_in_the_line_of_a_failed_log_in(caplog: pytest.LogCaptureFixture) -> None:
    errors = ErrorManager(service="shop")
    with caplog.at_level(logging.INFO, logger="faultwire"):
        errors.handle_error_nowait(AuthenticationError(f"log in of ann with password={CANARY} failed"))
    (line,) = caplog.records
    assert "log in of ann with password=[scrubbed] failed" in line.getMessage()
    assert CANARY not in repr(vars(line))


async def test_scrubbing_is_switched_off_and_told_about_names_by_the_service() -> None:
    transport = FakeTransport()
    async with ErrorManager(service="shop", transport=lambda: transport, scrub=False) as errors:
        errors.handle_error_nowait(ValueError("x"), context={"password": CANARY})
    (event,) = transport.events
    assert (event.context, event.scrubbed) == ({"password": CANARY}, False)
    transport = FakeTransport()
    async with ErrorManager(
        service="shop",
        transport=lambda: transport,
        scrub_deny=["shoe"],
        scrub_allow=["token"],
        send_default_pii=True,
    ) as errors:
        errors.handle_error_nowait(
            ValueError("shoe=43"), context={"shoe": 43, "token": "x", "ip": "203.0.113.9"}
        )
    (event,) = transport.events
    assert event.message == "shoe=[scrubbed]"
    assert event.context == {"shoe": "[scrubbed]", "token": "x", "ip": "203.0.113.9"}
