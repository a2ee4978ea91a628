"""A silence as the page's form asks for it: fields as texts, and the draft that they make."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Final

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.silence.draft import SilenceDraft
from faultwire_consumer.domain.silence.matcher import Matchers
from faultwire_consumer.domain.silence.weekly import WEEK, Weekday, WeeklyWindow
from faultwire_consumer.web.page.form import SentForm
from faultwire_consumer.web.parameter import Parameters
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.taxonomy import FieldError, ValidationError

TEXTS: Final = ("service", "environment", "release", "code", "type")
"""Matchers that are written as patterns, several with commas between them."""
_SINGLE: Final = (*TEXTS, "tags", "comment", "for_seconds", "starts_at", "ends_at", "from", "to", "zone")
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "severity": tuple(reversed([one.value for one in ErrorSeverity])),
    "category": tuple(one.value for one in Category),
    "weekday": tuple(one.value for one in WEEK),
}
_FLAGS: Final = ("also_critical", "dry_run")
FIELDS: Final = (*_SINGLE, *CHOICES, *_FLAGS)
LENGTHS: Final = (
    (1800, "30 minutes"),
    (3600, "1 hour"),
    (7200, "2 hours"),
    (14400, "4 hours"),
    (28800, "8 hours"),
    (86400, "1 day"),
    (259200, "3 days"),
    (604800, "1 week"),
    (2592000, "30 days"),
    (7776000, "90 days"),
    (31536000, "1 year"),
)
NOTHING_WRONG: Final[Mapping[str, str]] = dict.fromkeys((*FIELDS, "where", "weekly"), "")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_LOCAL: Final = re.compile(rf"\d{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T{_CLOCK.pattern}")
_TIMES: Final = {"starts_at": _LOCAL, "ends_at": _LOCAL, "from": _CLOCK, "to": _CLOCK}
_SHOWN_AT: Final = {"start": "weekly", "end": "weekly", "severity": "where", "category": "where"}
_USUAL_SECONDS: Final = "7200"


class AskedSilence(Struct, frozen=True, kw_only=True):
    """The fields of the form, as they were filled in."""

    texts: Mapping[str, str]
    ticked: Mapping[str, frozenset[str]]
    """The boxes that are ticked, by their group."""
    also_critical: bool = False
    is_tried: bool = False
    """Say what it would have hidden, and make nothing."""
    is_open: bool = False
    """The form is to be shown unfolded."""
    wrong: Mapping[str, str]
    """Of each field why it cannot be; empty where it can."""

    @property
    def times(self) -> Mapping[str, str]:
        """Return what fields for times may show: nothing where it is not a time as they write one."""
        typed = {name: self.texts[name] for name in _TIMES}
        return {name: text if _TIMES[name].fullmatch(text) else "" for name, text in typed.items()}

    @property
    def faults(self) -> tuple[str, ...]:
        """Return the names of the fields that cannot be."""
        return tuple(name.replace("_", " ") for name, why in self.wrong.items() if why)


def blank_silence(zone_name: str) -> AskedSilence:
    """Return the form as nobody filled it in."""
    texts = dict.fromkeys(_SINGLE, "") | {"for_seconds": _USUAL_SECONDS, "zone": zone_name}
    return AskedSilence(texts=texts, ticked={name: frozenset() for name in CHOICES}, wrong=NOTHING_WRONG)


def silence_from_link(parameters: Parameters, zone_name: str) -> AskedSilence:
    """Return the form as a link fills it in: matchers alone, as from an incident's page."""
    blank = blank_silence(zone_name)
    given = {name: ", ".join(parameters.texts(name)) for name in TEXTS}
    severities = frozenset(one.value for one in parameters.choices("severity", ErrorSeverity))
    is_open = parameters.flag("new", "Unfold the form.") or any(given.values())
    return AskedSilence(
        texts={**blank.texts, **given},
        ticked={**blank.ticked, "severity": severities},
        is_open=is_open,
        wrong=NOTHING_WRONG,
    )


def asked_silence(form: SentForm) -> AskedSilence:
    """Return the fields that a browser sent.

    Raises:
        ValidationError: a field is unknown, or came twice.
    """
    form.refuse_others(FIELDS)
    return AskedSilence(
        texts={name: form.text(name) for name in _SINGLE},
        ticked={name: frozenset(form.texts(name)) for name in CHOICES},
        also_critical=form.flag("also_critical"),
        is_tried=form.flag("dry_run"),
        is_open=True,
        wrong=NOTHING_WRONG,
    )


def with_faults(asked: AskedSilence, error: ValidationError) -> AskedSilence:
    """Return the fields with what is wrong with each."""
    wrong = dict(NOTHING_WRONG)
    for one in error.errors:
        field = _shown_at(one.field)
        wrong[field] = f"{wrong[field]}; {one.message}" if wrong[field] else one.message
    return msgspec.structs.replace(asked, wrong=wrong)


def draft_of(asked: AskedSilence, zone: tzinfo) -> SilenceDraft:
    """Return the silence that the fields ask for; times without a zone are of the reader's.

    Raises:
        ValidationError: a field cannot be read; what it says is checked elsewhere.
    """
    ends_at = _moment(asked, "ends_at", zone)
    return SilenceDraft(
        where=_matchers(asked),
        comment=asked.texts["comment"],
        starts_at=_moment(asked, "starts_at", zone),
        ends_at=ends_at,
        for_seconds=None if ends_at is not None else _seconds(asked),
        weekly=tuple(_windows(asked)),
        also_critical=asked.also_critical,
    )


def _matchers(asked: AskedSilence) -> Matchers:
    given = {name: split_values(asked.texts[name]) for name in TEXTS}
    chosen = {name: sorted(asked.ticked[name]) for name in ("severity", "category")}
    try:
        return msgspec.convert({**given, **chosen, "tags": _tags(asked.texts["tags"])}, type=Matchers)
    except msgspec.ValidationError as error:
        raise ValidationError(errors=[FieldError("where", str(error))]) from None


def split_values(text: str) -> list[str]:
    """Return values that are written with commas between them."""
    return [value.strip() for value in text.split(",") if value.strip()]


def _tags(text: str) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for one in split_values(text):
        name, equals, value = (part.strip() for part in one.partition("="))
        if not (name and equals and value):
            raise ValidationError(
                errors=[FieldError("tags", "names with patterns, as region=eu-*, canary=true")]
            )
        tags.setdefault(name, []).append(value)
    return tags


def _moment(asked: AskedSilence, name: str, zone: tzinfo) -> datetime | None:
    text = asked.texts[name].strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValidationError(errors=[FieldError(name, "a day and a time, as 2026-11-23T10:00")]) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _seconds(asked: AskedSilence) -> int:
    text = asked.texts["for_seconds"].strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValidationError(errors=[FieldError("for_seconds", "a length, or an end")])
    return int(text)


def _windows(asked: AskedSilence) -> Iterator[WeeklyWindow]:
    start, end = asked.texts["from"].strip(), asked.texts["to"].strip()
    days = asked.ticked["weekday"]
    if not start and not end and not days:
        return
    if not (start and end):
        raise ValidationError(
            errors=[FieldError("weekly", "both times of the window; days alone are not one")]
        )
    yield WeeklyWindow(
        weekdays=tuple(day for day in Weekday if day.value in days),
        start=start[:5],
        end=end[:5],
        zone=asked.texts["zone"].strip() or "UTC",
    )


def _shown_at(field: str) -> str:
    """Return the place in the form where a fault of a field is shown."""
    if field.startswith("tag"):
        return "tags"
    shown = _SHOWN_AT.get(field, field)
    return shown if shown in NOTHING_WRONG else "where"
