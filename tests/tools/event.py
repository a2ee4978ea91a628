"""The same event for every candidate: 2.2 KB of JSON, 12 frames, 200 fingerprints, ids of their own."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

FINGERPRINTS: Final = 200
FRAMES: Final = 12


def bodies(
    count: int,
    *,
    now: datetime | None = None,
    start: int = 0,
    fingerprints: int = FINGERPRINTS,
    severity: str = "medium",
) -> Iterator[bytes]:
    """Events as a foreign publisher sends them, scrubbed as our client's are.

    Args:
        count: how many.
        now: when all of them occurred; the id's day.
        start: the number of the first, which decides its id.
        fingerprints: how many bugs they are of, in turns.
        severity: of all of them.
    """
    moment = now or datetime.now(UTC)
    shapes = [_template(number, moment, severity) for number in range(fingerprints)]
    for number in range(start, start + count):
        before, between, after = shapes[number % fingerprints]
        # Odd times anything is one-to-one modulo a power of two: unique, and in no order.
        suffix = number * 0x9E3779B97F4B % 2**48
        yield b"%b%012x%b%d%b" % (before, suffix, between, number, after)


def unmarked(events: Iterable[bytes]) -> Iterator[bytes]:
    """The same events as of a publisher that scrubs nothing, and does not say that it does."""
    return (event.replace(b',"scrubbed":true', b"") for event in events)


def _template(number: int, moment: datetime, severity: str) -> tuple[bytes, bytes, bytes]:
    """The event's JSON around its id's suffix and its order."""
    text = json.dumps(_event(number, moment, severity), separators=(",", ":")).encode()
    before, _, rest = text.partition(b"@suffix@")
    between, _, after = rest.partition(b'"@order@"')
    return before, between, after


def _event(number: int, moment: datetime, severity: str) -> dict[str, Any]:
    return {
        "id": f"error_{moment:%Y%m%d}_@suffix@",
        "schema_version": 1,
        "occurred_at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "severity": severity,
        "category": "system",
        "service": "shop",
        "environment": "production",
        "release": "1.4.2",
        "host": "web-3",
        "message": f"cannot price the basket at step {number}",
        "exceptions": [
            {
                # Beyond the first 200 a type of its own: hundreds of new bugs of one type in a minute are
                # taken for one whose stack is made up.
                "type": "KeyError" if number < FINGERPRINTS else f"Step{_spelled(number)}Error",
                "module": "builtins",
                "value": "'price'",
                "frames": [_frame(number, depth) for depth in range(FRAMES)],
            }
        ],
        "context": {"order": "@order@", "currency": "EUR", "basket": ["apples", "pears", "plums"]},
        "tags": {"region": "eu-central-1", "plan": "team"},
        "transaction": "/baskets/{id}/price",
        "scrubbed": True,
    }


def _spelled(number: int) -> str:
    """A number in letters: in the name of a call, its digits would tell nothing apart."""
    return str(number).translate(str.maketrans("0123456789", "abcdefghij"))


def _frame(number: int, depth: int) -> dict[str, Any]:
    in_app = depth >= FRAMES - 4
    module = f"shop.step_{_spelled(number)}" if in_app else f"framework.layer_{depth}"
    return {
        "file": f"/srv/shop/{module.replace('.', '/')}.py",
        "module": module,
        "qualname": f"call_{depth}",
        "line": 100 + depth,
        "in_app": in_app,
        "context": [f"    return call_{depth + 1}(basket)"],
    }
