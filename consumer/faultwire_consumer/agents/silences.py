"""The tools about silences: list them, make one, end one.

An agent reads what strangers wrote, and may be talked into hiding something. So what it makes ends within a
week, and never hides a critical notification: that is for people.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from faultwire_consumer.agents.door import Door, DoorError
from faultwire_consumer.agents.tool import Tool
from faultwire_consumer.domain.report.listing import silence_list
from faultwire_consumer.domain.report.quoting import span
from faultwire_consumer.domain.silence.foresight import Foresight, describe_foresight
from faultwire_consumer.domain.silence.matcher import VALUE_CHARACTERS, VALUES_MAX
from faultwire_consumer.domain.silence.window_text import parse_window

LISTED: Final = 100
SECONDS_MAX: Final = 7 * 86400
_Patterns = list[Annotated[str, Meta(min_length=1, max_length=VALUE_CHARACTERS)]]
_MATCHERS: Final = ("service", "severity", "environment", "release", "code", "type")


class ListSilences(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``list_silences``."""

    phase: Annotated[
        Literal["current", "coming", "past", ""],
        Meta(description="Begun and not over, coming, or past; empty: all."),
    ] = "current"


class CreateSilence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of ``create_silence``."""

    comment: Annotated[str, Meta(description="Why, for everybody who looks.", min_length=1, max_length=500)]
    for_seconds: Annotated[int, Meta(description="How long; a week at most.", ge=60, le=SECONDS_MAX)]
    service: Annotated[
        _Patterns, Meta(description="Of these services; * ? [] are patterns.", max_length=VALUES_MAX)
    ] = []
    severity: Annotated[
        list[Literal["low", "medium", "high"]], Meta(description="Of these severities.", max_length=3)
    ] = []
    environment: Annotated[_Patterns, Meta(description="In these environments.", max_length=VALUES_MAX)] = []
    release: Annotated[_Patterns, Meta(description="Of these releases.", max_length=VALUES_MAX)] = []
    code: Annotated[_Patterns, Meta(description="With these codes.", max_length=VALUES_MAX)] = []
    type: Annotated[_Patterns, Meta(description="With these exception types.", max_length=VALUES_MAX)] = []
    windows: Annotated[
        _Patterns,
        Meta(description="Only in these windows, as mon-fri 22:00-06:00 Europe/Berlin.", max_length=7),
    ] = []
    dry_run: Annotated[bool, Meta(description="Make nothing; say what it would be.")] = False


class EndSilence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of ``end_silence``."""

    id: Annotated[int, Meta(description="The silence's number.", ge=1, le=10**17)]
    note: Annotated[str, Meta(description="Words for its history: why.", max_length=500)] = ""


async def _list_silences(door: Door, asked: ListSilences) -> str:
    parameters = {"phase": asked.phase or None, "limit": LISTED}
    document = await door.read("silences", parameters=parameters)
    return silence_list(document["silences"], more=document["next_cursor"] is not None)


async def _create_silence(door: Door, asked: CreateSilence) -> str:
    where = {name: values for name in _MATCHERS if (values := getattr(asked, name))}
    body: Mapping[str, Any] = {
        "where": where,
        "comment": asked.comment,
        "for_seconds": asked.for_seconds,
        "weekly": [_window(text) for text in asked.windows],
        "dry_run": asked.dry_run,
    }
    return _answer(await door.act("silences", body=body))


async def _end_silence(door: Door, asked: EndSilence) -> str:
    return _answer(await door.act("silences", str(asked.id), "end", body={"note": asked.note}))


def _window(text: str) -> dict[str, Any]:
    try:
        window = parse_window(text)
    except ValueError as error:
        raise DoorError(f"windows: {error}") from None
    return {
        "weekdays": [day.value for day in window.weekdays],
        "start": window.start,
        "end": window.end,
        "zone": window.zone,
    }


def _answer(document: Mapping[str, Any]) -> str:
    silence = document["silence"]
    foreseen = document.get("foreseen")
    also = f" {describe_foresight(msgspec.convert(foreseen, Foresight))}" if foreseen else ""
    what = f"{silence['state']}, {span(silence['described'], 500)}, until {silence['ends_at']}"
    return f"Silence {silence['id']} {document['outcome']}: {what}.{also}\n"


LIST_SILENCES: Final = Tool(
    name="list_silences",
    title="List silences",
    description="List silences, which hide notifications for a time: what each hides, why, how much it hid.",
    arguments=ListSilences,
    run=_list_silences,
)
SILENCING: Final = (
    Tool(
        name="create_silence",
        title="Hide notifications for a time",
        description="Hide notifications that are not critical, by matchers, for a week at most.",
        arguments=CreateSilence,
        run=_create_silence,
        acts=True,
    ),
    Tool(
        name="end_silence",
        title="End a silence",
        description="End a silence now; what it holds back is judged again.",
        arguments=EndSilence,
        run=_end_silence,
        acts=True,
    ),
)
