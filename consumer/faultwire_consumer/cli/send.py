"""``faultwire send``: one event from a shell or a cron job."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from cyclopts import App, Parameter
from msgspec.structs import replace

from faultwire import ErrorManager, FinalState
from faultwire_consumer.cli.address import publish_url
from faultwire_consumer.cli.choice import offer_services, offer_severities
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import CONFIGURATION, USAGE, CommandError
from faultwire_consumer.cli.option import LOCAL_OUTPUT, Flag, LocalOutput, Output, Texts
from faultwire_consumer.cli.output import print_json, say
from faultwire_consumer.cli.publishing import publish_files
from faultwire_consumer.domain.suggestion import suggest
from faultwire_shared.event import EVENT_BYTES, SEVERITY_WORDS, Category, ErrorSeverity, Event
from faultwire_shared.taxonomy import DEFAULTS

_EXAMPLE: Final = 'faultwire send --service backup --severity high --message "the disk is full"'
_NUMBER_DIGITS: Final = 3
_ASK_SECONDS: Final = 2.0
"""How long a worker may take to say whether it knows a service: it is only for a hint."""
_KNOWN: Final = 200

app = App(name="send", help_epilogue=f"Example: `{_EXAMPLE}`")


@app.default
def send(
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], allow_leading_hyphen=True)],
    service: Annotated[str | None, Parameter(completer=offer_services)] = None,
    severity: Annotated[str | None, Parameter(completer=offer_severities)] = None,
    any_severity: Flag = False,
    environment: str | None = None,
    release: str | None = None,
    category: Category = Category.SYSTEM,
    code: str | None = None,
    user: str | None = None,
    tag: Texts = (),
    context: Texts = (),
    fingerprint: Texts = (),
    broker_url: str | None = None,
    output: LocalOutput = LOCAL_OUTPUT,
) -> None:
    """Send one event, wait until it is kept, and print its id.

    Args:
        message: What happened; - reads it from stdin.
        service: Whose error it is; else FAULTWIRE_SERVICE, else "shell".
        severity: low, medium, high or critical, or any usual level's name or number.
        any_severity: Take any other word as medium, for scripts that pass on what they are given.
        environment: Where it happened; else FAULTWIRE_ENVIRONMENT, else production.
        release: The version that it happened in; else FAULTWIRE_RELEASE.
        category: What kind of failure it is.
        code: Its stable code, as in BACKUP_FAILED.
        user: Who met it, by an id.
        tag: KEY=VALUE to filter by; may be repeated.
        context: KEY=VALUE that helps to understand it; may be repeated.
        fingerprint: Group by this text and not by the message; may be repeated.
        broker_url: Where to; else FAULTWIRE_BROKER_URL, else the worker at FAULTWIRE_URL.
    """
    extra = {"tags": read_pairs("--tag", tag), "user": user, "fingerprint": fingerprint or None}
    details = read_pairs("--context", context)
    text = _read_message(message)
    if severity is not None and not any_severity:
        _check_severity(severity)
    named = service or ("shell" if not os.environ.get("FAULTWIRE_SERVICE") else None)
    origin = {"service": named, "environment": environment, "release": release}
    default = DEFAULTS[category]
    url = publish_url(broker_url)
    hint = _hint_at_new(service, url) if service is not None and not output.quiet else ""

    def with_kind(event: Event) -> Event:
        return replace(event, category=category, code=code or default.code)

    given: dict[str, Any] = {"broker_url": url, "processors": [with_kind], **_without_none(origin)}
    given |= {f"broker_{name}": path for name, path in publish_files(broker_url)._asdict().items()}

    async def emit() -> tuple[str, FinalState]:
        async with ErrorManager.from_env(**given) as errors:
            response = await errors.handle_error(
                text, severity or default.severity, details, durability="confirmed", **_without_none(extra)
            )
            return response.error_id, response.state

    try:
        event_id, state = asyncio.run(emit())
    except ValueError as error:
        raise CommandError(str(error), CONFIGURATION) from None
    if not state.accepted:
        raise CommandError(f"the event was not kept: {state.reason or 'no confirm in time'}")
    if output.json or output.jsonl:
        print_json({"id": event_id, "state": state.state})
    else:
        sys.stdout.write(f"{event_id}\n")
    if hint:
        say(hint)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _read_message(given: str) -> str:
    text = (sys.stdin.read(EVENT_BYTES) if given == "-" else given).strip()
    if not text:
        where = "nothing came on stdin" if given == "-" else "--message is empty"
        raise CommandError(f"{where}: say what happened", USAGE)
    return text


def _check_severity(given: str) -> None:
    word = given.strip().lower()
    if word in SEVERITY_WORDS or (word.isascii() and word.isdigit() and len(word) <= _NUMBER_DIGITS):
        return
    near = suggest(word, SEVERITY_WORDS)
    hint = near if near.startswith("did you mean") else f"it is one of {', '.join(ErrorSeverity)}"
    raise CommandError(f"--severity: {given} is unknown; {hint} (--any-severity takes it as medium)", USAGE)


def _hint_at_new(service: str, url: str) -> str:
    """A word if nothing of a service was stored before: its name may be a typing error.

    It says nothing where the worker does not answer soon, or is not known beside a broker.
    """
    if url.startswith("amqp") and not os.environ.get("FAULTWIRE_URL"):
        return ""
    asked = None if url.startswith("amqp") else url
    try:
        client = ApiClient(Output(url=asked), timeout_seconds=_ASK_SECONDS)
        if client.get("api", "v1", "incidents", service=service, limit=1)["incidents"]:
            return ""
        latest = client.get("api", "v1", "incidents", limit=_KNOWN)["incidents"]
    except (CommandError, KeyError, TypeError):
        return ""
    others = sorted({str(one.get("service")) for one in latest})
    near = suggest(service, others)
    known = f"; {near}" if near.startswith("did you mean") else ""
    return f"{service} is a service that is new here{known}"


def read_pairs(option: str, pairs: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` as a mapping.

    Raises:
        CommandError: a pair has no ``=`` or no key.
    """
    read = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not (key and separator):
            raise CommandError(f"{option} takes KEY=VALUE, not {pair}", USAGE)
        read[key] = value
    return read
