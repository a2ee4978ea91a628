"""The same event for every candidate: 2.2 KB of JSON, 12 frames, 200 fingerprints, ids of their own."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

FINGERPRINTS: Final = 200
FRAMES: Final = 12


def bodies(count: int, *, now: datetime | None = None) -> Iterator[bytes]:
    """Events as a foreign publisher sends them: one a message, scrubbed as our client's are."""
    moment = now or datetime.now(UTC)
    shapes = [template(number, moment) for number in range(FINGERPRINTS)]
    for number in range(count):
        before, between, after = shapes[number % FINGERPRINTS]
        # Odd times anything is one-to-one modulo a power of two: unique, and in no order.
        suffix = number * 0x9E3779B97F4B % 2**48
        yield b"%b%012x%b%d%b" % (before, suffix, between, number, after)


def template(number: int, moment: datetime) -> tuple[bytes, bytes, bytes]:
    """The event's JSON around its id's suffix and its order."""
    text = json.dumps(_event(number, moment), separators=(",", ":")).encode()
    before, _, rest = text.partition(b"@suffix@")
    between, _, after = rest.partition(b'"@order@"')
    return before, between, after


def _event(number: int, moment: datetime) -> dict[str, Any]:
    return {
        "id": f"error_{moment:%Y%m%d}_@suffix@",
        "schema_version": 1,
        "occurred_at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "severity": "medium",
        "category": "system",
        "service": "shop",
        "environment": "production",
        "release": "1.4.2",
        "host": "web-3",
        "message": f"cannot price the basket at step {number}",
        "exceptions": [
            {
                "type": "KeyError",
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


def _frame(number: int, depth: int) -> dict[str, Any]:
    in_app = depth >= FRAMES - 4
    module = f"shop.step_{number}" if in_app else f"framework.layer_{depth}"
    return {
        "file": f"/srv/shop/{module.replace('.', '/')}.py",
        "module": module,
        "qualname": f"call_{depth}",
        "line": 100 + depth,
        "in_app": in_app,
        "context": [f"    return call_{depth + 1}(basket)"],
    }
