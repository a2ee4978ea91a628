"""Events as a foreign publisher would write them: JSON by hand, nothing of the client's."""

import json
from datetime import UTC, datetime
from typing import Any

from faultwire_shared.event_id import new_event_id


def wire_event(**fields: Any) -> dict[str, Any]:
    """A valid event of wire version 1; fields given replace or add."""
    now = fields.pop("now", None) or datetime.now(UTC)
    event = {
        "id": new_event_id(now),
        "schema_version": 1,
        "occurred_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "severity": "high",
        "service": "billing",
        "message": "gateway refused the order",
    }
    return event | fields


def wire_body(**fields: Any) -> bytes:
    """The event as bytes."""
    return json.dumps(wire_event(**fields)).encode()


def raised(kind: str, *, qualname: str = "charge", value: str = "", **fields: Any) -> dict[str, Any]:
    """One exception with one in-app frame."""
    frame = {
        "file": "billing/pay.py",
        "module": "billing.pay",
        "qualname": qualname,
        "line": 10,
        "in_app": True,
    }
    return {"type": kind, "module": "builtins", "value": value, "frames": [frame]} | fields
