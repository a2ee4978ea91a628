"""``faultwire send``: one event from a shell or a cron job."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter
from msgspec.structs import replace

from faultwire import ErrorManager, FinalState
from faultwire_consumer.cli.address import publish_url
from faultwire_consumer.cli.failure import CONFIGURATION, USAGE, CommandError
from faultwire_consumer.cli.option import LOCAL_OUTPUT, LocalOutput, Texts
from faultwire_consumer.cli.output import print_json
from faultwire_shared.event import Category, Event
from faultwire_shared.taxonomy import DEFAULTS

app = App(
    name="send",
    help_epilogue='Example: `faultwire send --service backup --severity high --message "the disk is full"`',
)


@app.default
def send(
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], allow_leading_hyphen=True)],
    service: str | None = None,
    severity: str | None = None,
    category: Category = Category.SYSTEM,
    code: str | None = None,
    tag: Texts = (),
    context: Texts = (),
    broker_url: str | None = None,
    output: LocalOutput = LOCAL_OUTPUT,
) -> None:
    """Send one event, wait until it is kept, and print its id.

    Args:
        message: What happened; - reads it from stdin.
        service: Whose error it is; else FAULTWIRE_SERVICE, else "shell".
        severity: low, medium, high or critical, or any usual level's name.
        category: What kind of failure it is.
        code: Its stable code, as in BACKUP_FAILED.
        tag: KEY=VALUE to filter by; may be repeated.
        context: KEY=VALUE that helps to understand it; may be repeated.
        broker_url: Where to; else FAULTWIRE_BROKER_URL, else the worker at FAULTWIRE_URL.
    """
    tags, details = read_pairs("--tag", tag), read_pairs("--context", context)
    default = DEFAULTS[category]
    text = sys.stdin.read().strip() if message == "-" else message

    def with_kind(event: Event) -> Event:
        return replace(event, category=category, code=code or default.code)

    async def emit() -> tuple[str, FinalState]:
        options: dict[str, Any] = {"broker_url": publish_url(broker_url), "processors": [with_kind]}
        if service or not os.environ.get("FAULTWIRE_SERVICE"):
            options["service"] = service or "shell"
        async with ErrorManager.from_env(**options) as errors:
            response = await errors.handle_error(
                text, severity or default.severity, details, durability="confirmed", tags=tags
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
