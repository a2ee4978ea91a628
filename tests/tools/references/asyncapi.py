"""The wire contract by AsyncAPI 3: who publishes what, where, and by which key."""

import json
from pathlib import Path
from typing import Any, Final

from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, PRODUCER_TYPE
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.topology import EVENTS

TARGET: Final = Path(__file__).parents[3] / "shared/wire/faultwire.asyncapi.v1.json"
_EVENT: Final = f"{EVENT_TYPE}.schema.json"
_REPORT: Final = f"{PRODUCER_TYPE}.schema.json"


def asyncapi_text() -> str:
    """The file."""
    return json.dumps(_document(), indent=2, ensure_ascii=False) + "\n"


def _document() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "faultwire, the wire contract",
            "version": "1",
            "description": "What a publisher in any language sends; the schemas lie beside this file.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {"events": _events(), "reports": _reports(), "intake": _intake()},
        "operations": {
            "publishEvents": _sends("events", "Publish an event, or several of one lane in one message."),
            "publishReport": _sends("reports", "Say how far a producer has counted, and what it gave up."),
            "postEvents": _sends("intake", "Hand a worker an event, several, or a report over HTTP."),
        },
        "components": {
            "messages": {
                "event": _message(EVENT_TYPE, "One event.", {"$ref": _EVENT}),
                "batch": _message(
                    BATCH_TYPE,
                    "Events of one lane, under the key of the most severe one; 1,000 at most.",
                    {"type": "array", "items": {"$ref": _EVENT}, "minItems": 1, "maxItems": 1000},
                ),
                "report": _message(PRODUCER_TYPE, "A producer's report.", {"$ref": _REPORT}),
            }
        },
    }


def _sends(channel: str, summary: str) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _events() -> dict[str, Any]:
    return {
        "address": "event.{severity}.{category}.{service}",
        "description": "The routing key of an event; 255 bytes at most.",
        "messages": _named("event", "batch"),
        "parameters": {
            "severity": {"enum": [one.value for one in ErrorSeverity]},
            "category": {"enum": [one.value for one in Category]},
            "service": {"description": "The service's name, with underscores for its dots."},
        },
        "bindings": _routed(),
    }


def _reports() -> dict[str, Any]:
    return {
        "address": "producer.{service}",
        "description": "The routing key of a report.",
        "messages": _named("report"),
        "parameters": {"service": {"description": "The service's name, with underscores for its dots."}},
        "bindings": _routed(),
    }


def _intake() -> dict[str, Any]:
    return {
        "address": "/ingest/v1/events",
        "description": "The same bodies by POST to a worker.",
        "messages": _named("event", "batch", "report"),
    }


def _routed() -> dict[str, Any]:
    exchange = {"name": EVENTS, "type": "topic", "durable": True, "autoDelete": False}
    return {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}}


def _named(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _message(kind: str, summary: str, payload: dict[str, Any]) -> dict[str, Any]:
    binding = {"amqp": {"contentEncoding": "", "messageType": kind, "bindingVersion": "0.3.0"}}
    return {
        "name": kind,
        "summary": summary,
        "contentType": "application/json",
        "payload": payload,
        "bindings": binding,
    }
