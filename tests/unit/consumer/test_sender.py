"""The bounds of a sender: from a request to a message and back, and whatever a stranger writes there."""

import json
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.access.allowance import Allowance
from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.ingest.receive.broker_door import BrokerDoor
from faultwire_consumer.ingest.receive.http_to_broker import publishing_intake
from faultwire_consumer.ingest.receive.sender import (
    SENDER_HEADER,
    SERVICES_HEADER,
    allowance_in,
    allowance_of,
    headers_of,
)
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_shared.codec import BATCH_TYPE

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def principal(via: Via, *services: str) -> Principal:
    return Principal(actor="token:ci", via=via, scopes=frozenset({AccessScope.INGEST}), services=services)


def test_a_token_s_services_bound_its_request() -> None:
    request = make_mocked_request("POST", "/ingest/v1/events")
    assert allowance_of(request) is None
    request[PRINCIPAL] = principal(Via.OPEN)
    assert allowance_of(request) is None
    request[PRINCIPAL] = principal(Via.TOKEN, "billing")
    assert allowance_of(request) == Allowance(sender="token:ci", services=("billing",))


@given(st.text(max_size=200), st.lists(st.text(), max_size=50).map(tuple))
def test_bounds_travel_with_a_message(sender: str, services: tuple[str, ...]) -> None:
    allowance = Allowance(sender=sender, services=services)
    assert allowance_in(headers_of(allowance), "a.key", checks_key=False) == allowance


def test_without_bounds_nothing_is_written_and_nothing_read() -> None:
    assert headers_of(None) == {}
    assert allowance_in({"x-other": 1}, "a.key", checks_key=False) is None
    assert allowance_in({}, "a.key", checks_key=True) == Allowance(routing_key="a.key")
    assert allowance_in({}, None, checks_key=True) == Allowance(routing_key="")


@given(anything, anything)
def test_bounds_that_cannot_be_read_allow_nothing(sender: object, services: object) -> None:
    allowance = allowance_in({SENDER_HEADER: sender, SERVICES_HEADER: services}, "", checks_key=False)
    assert allowance is not None
    try:
        patterns = json.loads(services) if isinstance(services, str) else None
    except ValueError:
        patterns = None
    if patterns != []:
        assert not allowance.covers("billing")
    assert allowance_in({SENDER_HEADER: sender}, "", checks_key=False) == Allowance(
        sender=sender[:200] if isinstance(sender, str) else "", services=("",)
    )


class Door(BrokerDoor):
    """Keeps what is published."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []

    async def publish(self, body: bytes, **envelope: Any) -> None:
        self.published.append({"body": body, **envelope})


@pytest.mark.parametrize("via", [Via.OPEN, Via.TOKEN])
async def test_a_request_in_front_of_a_broker_is_a_message_for_each_service(
    via: Via, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        {"id": "e1", "service": "billing", "severity": "low", "category": "system"},
        {"id": "e2", "service": "shop.eu", "severity": "critical", "category": "external"},
        {"id": "e3", "service": "billing", "severity": "high", "category": "system"},
        "x",
    ]
    body = json.dumps(found).encode()

    async def read_body(_: object) -> tuple[bytes, str]:
        return body, BATCH_TYPE

    monkeypatch.setattr("faultwire_consumer.ingest.receive.http_to_broker.read_body", read_body)
    door, request = Door(), make_mocked_request("POST", "/ingest/v1/events")
    request[PRINCIPAL] = principal(via, "billing")
    answer = await publishing_intake(door)(request)
    assert [one["id"] for one in json.loads(answer.body or b"")["results"]] == ["e1", "e2", "e3", None]  # type: ignore[arg-type]  # bytes
    assert [one["routing_key"] for one in door.published] == [
        "event.high.system.billing",
        "event.critical.external.shop_eu",
        "event.low.system.unknown",
    ]
    assert [json.loads(one["body"]) for one in door.published] == [[found[0], found[2]], [found[1]], ["x"]]
    written = {SENDER_HEADER: "token:ci", SERVICES_HEADER: '["billing"]'} if via is Via.TOKEN else {}
    assert all(one["headers"] == written for one in door.published)
