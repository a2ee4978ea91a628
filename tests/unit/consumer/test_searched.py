"""What an event is found by, read from its body."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.search_text import SEARCH_CHARACTERS
from faultwire_consumer.domain.searched import VALUE_CHARACTERS, VALUES, SearchedEvent, read_searched


def searched(**fields: Any) -> SearchedEvent:
    return read_searched(msgspec.json.encode(fields))


def test_an_event_is_found_by_all_that_it_says() -> None:
    found = searched(
        service="billing",
        code="GATEWAY_DOWN",
        message="Cannot charge order 90108",
        host="web-3",
        trace_id="8FA6B0",
        transaction="POST /orders",
        user={"id": 1018, "email": "ada@example.org", "is_admin": True, "address": {"city": "Bern"}},
        tags={"region": "eu", "retry": False, "none": None},
        exceptions=[
            {"type": "ChargeError", "value": "refused", "frames": [{"file": "app.py"}]},
            {
                "type": "ExceptionGroup",
                "value": "2 of them",
                "members": [[{"type": "KeyError", "value": "'price'"}]],
            },
        ],
    )
    assert set(found.values) == {
        ("trace", "8fa6b0"),
        ("user", "1018"),
        ("user", "ada@example.org"),
        ("host", "web-3"),
        ("type", "ChargeError"),
        ("type", "ExceptionGroup"),
        ("type", "KeyError"),
        ("tag.region", "eu"),
        ("tag.retry", "false"),
        ("tag.none", "null"),
    }
    for text in (
        *("billing", "gateway_down", "8fa6b0", "web-3", "post /orders", "1018", "ada@example.org"),
        *("cannot charge order 90108", "chargeerror: refused", "keyerror: 'price'", "region:eu"),
    ):
        assert text in found.text.split("\n"), text
    assert "app.py" not in found.text


def test_what_is_found_by_is_bounded() -> None:
    found = searched(
        message="x" * 10_000,
        user={f"field {number}": number for number in range(1000)},
        tags={f"tag {number}": "y" * 1000 for number in range(1000)},
        exceptions=[{"type": f"E{number}"} for number in range(1000)],
    )
    assert len(found.text) == SEARCH_CHARACTERS
    assert len(found.values) == VALUES
    assert max(len(value) for _, value in found.values) == VALUE_CHARACTERS
    assert {name for name, _ in found.values} >= {"user", "type", "tag.tag 0"}


@given(st.binary(max_size=60) | st.text().map(str.encode))
def test_a_body_that_is_none_is_found_by_nothing_and_breaks_nothing(body: bytes) -> None:
    assert isinstance(read_searched(body), SearchedEvent)
    assert read_searched(b"[" + body) == SearchedEvent("", ())


def test_no_nul_goes_into_the_store() -> None:
    found = searched(message="a\x00b", tags={"k\x00": "v\x00"}, user={"id": "\x00"})
    assert "\x00" not in found.text
    assert all("\x00" not in name + value for name, value in found.values)


def test_a_message_with_a_stack_is_found_by_its_text_and_by_no_type() -> None:
    found = searched(service="billing", exceptions=[{"type": "", "value": "cache is cold"}])
    assert "cache is cold" in found.text
    assert ": cache" not in found.text
    assert "type" not in {name for name, _ in found.values}
