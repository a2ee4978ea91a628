"""What scrubbing costs: an event beside its encoding, a batch beside a marked one, a text by its length."""

import statistics
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import pytest
from tests.benchmarks.report import report
from tests.tools.event import bodies
from tests.tools.secret import ASSIGNMENTS, PLANTED

from faultwire_consumer.ingest.read.candidate import candidates_of
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_shared import codec
from faultwire_shared.event import ErrorSeverity, Event, ExceptionInfo, Frame
from faultwire_shared.scrub import Scrubber

pytestmark = pytest.mark.benchmark

ROUNDS: Final = 9
SHORT: Final = 8_000
LONGER: Final = 8
CALL: Final = 20.0
"""Microseconds that do not count in how a cost grows."""
SHAPES: Final = (
    *"a=:<>\"'\\[{(-.,;&%@4éA",
    *(text.format("x") for text in ASSIGNMENTS),
    *(planted.text for planted in PLANTED[-60::7]),
    *(
        "a=",
        "a:",
        "%41",
        "%5B",
        "a%5B",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "eyJ",
        "-eyJ",
    ),
    *(
        "://",
        "a://b:",
        "a://b:c@",
        "4111 ",
        "4-",
        "bearer ",
        "Basic a",
        "sk-a-",
        "('password', ",
        "input_value=",
    ),
    *(
        'name="password" ',
        "<password ",
        "password: a | ",
        "--password ",
        "\\x",
        "a'b",
        "&a",
        "[{(",
        "\\\\\\'",
    ),
)


def cost(call: Callable[[], object], number: int) -> float:
    """Microseconds of one call."""
    return timeit.timeit(call, number=number) / number * 1e6


def usual_event() -> Event:
    message = "gateway refused order 17 of the basket"
    frames = [
        Frame(
            file=f"shop/step_{n}.py",
            module=f"shop.step_{n}",
            qualname="call",
            line=n,
            context=["return go(basket)"],
        )
        for n in range(13)
    ]
    return Event(
        id="error_20261123_k3v9x2m7q4w8r1t6",
        schema_version=1,
        occurred_at=datetime(2026, 11, 23, 10, tzinfo=UTC),
        severity=ErrorSeverity.HIGH,
        service="shop",
        code="CARD_GATEWAY_DOWN",
        host="web-3",
        release="1.2.0",
        message=message,
        exceptions=[ExceptionInfo(type="KeyError", module="builtins", value=message, frames=frames)],
        context={
            "order": 17,
            "currency": "EUR",
            "basket": ["apples", "pears"],
            "customer": "c-1234",
            "step": "pay",
        },
        transaction="/orders/{id}/pay",
    )


def test_an_event_without_secrets_beside_its_encoding() -> None:
    scrubber, event, ratios = Scrubber(), usual_event(), []
    assert scrubber.scrub(event).message == event.message
    for _ in range(ROUNDS):
        encoding = cost(lambda: codec.encode(event), 10_000)
        scrubbing = cost(lambda: scrubber.scrub(event), 10_000)
        print(f"\nencode {encoding:.1f} us, scrub {scrubbing:.1f} us")
        ratios.append(scrubbing / encoding)
    report("scrub / encode of an event with 13 frames and 5 context keys", "none", ratios)


def deliveries(*, marked: bool) -> list[Delivery]:
    made = bodies(2_000)
    events = made if marked else (body.replace(b',"scrubbed":true', b"") for body in made)
    return [read_delivery(body, codec.EVENT_TYPE, origin="test", handle=None) for body in events]


def test_a_batch_that_is_not_marked_beside_one_that_is() -> None:
    now, ratios = datetime.now(UTC), []
    kinds = {marked: (Grouper(), BodyScrubber(), deliveries(marked=marked)) for marked in (True, False)}

    def ingest(marked: bool) -> float:
        grouper, scrubber, batch = kinds[marked]
        return cost(
            lambda: [
                candidates_of(one, grouper=grouper, scrubber=scrubber, received_at=now) for one in batch
            ],
            1,
        ) / len(batch)

    for _ in range(ROUNDS):
        marked, unmarked = ingest(True), ingest(False)
        print(f"\nmarked {marked:.1f} us an event, unmarked {unmarked:.1f} us")
        ratios.append(unmarked / marked)
    report("decode and group, unmarked / marked", "none", ratios)


def test_the_time_grows_with_the_length_of_a_text() -> None:
    """Of a pattern that tries again and again, eight times the length would take 64 times as long."""
    scrubber, growth = Scrubber(), dict[str, float]()
    for shape in SHAPES:
        for before in ("", "password=", 'password="', "https://u:p"):
            text = before + shape * (SHORT * LONGER // len(shape) + 1)
            ratios = []
            for _ in range(3):
                short = cost(lambda text=text: scrubber.scrub_text(text[:SHORT]), 1)  # type: ignore[misc]  # a default
                long = cost(lambda text=text: scrubber.scrub_text(text[: SHORT * LONGER]), 1)  # type: ignore[misc]
                # Without the cost of a call, of which a short text may be all.
                ratios.append(max(0.0, long - CALL) / max(5 * CALL, short - CALL))
            growth[f"{before}{shape}"[:40]] = statistics.median(ratios)
    worst = sorted(growth, key=lambda shape: growth[shape])[-5:]
    print("\nthe worst shapes: " + ", ".join(f"{shape!r} {growth[shape]:.0f}" for shape in worst))
    report(f"{LONGER} times the length / once", f"about {LONGER}", list(growth.values()))
