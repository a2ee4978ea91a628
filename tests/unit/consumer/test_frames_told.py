"""The calls that a notification shows of its event."""

import msgspec
import pytest

from faultwire_consumer.notify.frames import FRAMES_SHOWN, frames_of


def test_the_innermost_calls_stand_first() -> None:
    frames = [{"file": f"{number}.py", "line": number, "qualname": f"f{number}"} for number in range(9)]
    body = msgspec.json.encode(
        {"exceptions": [{"type": "E", "module": "m", "frames": frames}, {"type": "C"}]}
    )
    assert frames_of(body) == tuple(f"{number}.py:{number} in f{number}" for number in range(8, 3, -1))
    assert len(frames_of(body)) == FRAMES_SHOWN


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"exceptions": []}', b'{"exceptions": 7}', b"\xff", b'{"exceptions": [{}]}']
)
def test_an_event_without_calls_shows_none(body: bytes) -> None:
    assert frames_of(body) == ()


def test_a_call_without_a_place_is_shown_as_far_as_it_is_known() -> None:
    body = b'{"exceptions": [{"type": "E", "frames": [{"module": "billing.pay"}, {}]}]}'
    assert frames_of(body) == ("?:0 in ?", "billing.pay:0 in ?")
