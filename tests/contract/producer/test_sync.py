"""SyncErrorManager against a real RabbitMQ: what its calls wait for, from threads that have no loop."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.contract.producer.queue_reader import take_all
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.fake_transport import FakeTransport

from faultwire import SyncErrorManager
from faultwire.testing import capture_events
from faultwire_shared import codec
from faultwire_shared.event import Event, Lane

pytestmark = pytest.mark.may_block("its manager is for code without a loop")

NOBODY_LISTENS = "amqp://127.0.0.1:1/"


@pytest.fixture
def errors(broker: RabbitMQ) -> Iterator[SyncErrorManager]:
    with SyncErrorManager(service="billing", broker_url=broker.url, confirm_timeout=60) as errors:
        yield errors


def events_of(broker: RabbitMQ, lane: Lane, events: int) -> list[Event]:
    """So many events of the lane, in however many messages they came."""
    found: list[Event] = []
    while len(found) < events:
        (message,) = asyncio.run(take_all(broker.url, lane, messages=1))
        found += [codec.decode(raw) for raw in codec.split(message.body, message.type)]
    return found


def test_confirmed_blocks_until_the_broker_has_it(errors: SyncErrorManager, broker: RabbitMQ) -> None:
    response = errors.handle_error(ValueError("x"), "critical", durability="confirmed")
    assert response.state.state == "confirmed"
    (event,) = events_of(broker, Lane.CRITICAL, 1)
    assert event.id == response.error_id


def test_buffered_returns_at_once_and_can_be_waited_for_later(errors: SyncErrorManager) -> None:
    response = errors.handle_error(ValueError("x"))
    while response.wait_delivered(60).state == "spooled":
        pass
    assert response.state.state == "confirmed"


def test_spooled_returns_once_it_is_on_disk() -> None:
    with SyncErrorManager(service="billing", broker_url=NOBODY_LISTENS) as errors:
        assert errors.handle_error(ValueError("x"), durability="spooled").state.state == "spooled"


def test_confirmed_gives_up_after_its_time_and_says_what_it_came_to() -> None:
    with SyncErrorManager(service="billing", broker_url=NOBODY_LISTENS, confirm_timeout=0.1) as errors:
        response = errors.handle_error(ValueError("x"), durability="confirmed")
        assert response.state.state == "spooled"
    without_disk = SyncErrorManager(
        service="billing", broker_url=NOBODY_LISTENS, spool_path="", confirm_timeout=0.1
    )
    assert without_disk.handle_error(ValueError("x"), durability="spooled").state.state == "buffered"
    without_disk.close()
    assert without_disk.stats().lost == {"shutdown": 1}


def test_a_wait_that_runs_out_says_buffered() -> None:
    with SyncErrorManager(service="billing", broker_url=NOBODY_LISTENS, spool_path="") as errors:
        response = errors.handle_error(ValueError("x"))
        assert response.wait_delivered(0.01).state == "buffered"
        assert not errors.flush(0.01)


def test_a_manager_that_is_entered_again_opens_again() -> None:
    transport = FakeTransport()
    errors = SyncErrorManager(service="billing", transport=lambda: transport)

    def work(number: int) -> str:
        with errors:
            return errors.handle_error(ValueError(str(number)), durability="confirmed").state.state

    assert [work(number) for number in range(3)] == 3 * ["confirmed"]
    with capture_events(errors) as captured:
        for number in (3, 4):
            work(number)
    assert [event.message for event in transport.events] == ["0", "1", "2"]
    assert [event.message for event in captured.events] == ["3", "4"]
    assert work(5) == "confirmed"


def test_flush_waits_until_all_of_it_is_with_the_broker(errors: SyncErrorManager) -> None:
    for number in range(500):
        errors.handle_error(ValueError(str(number)))
    assert errors.flush(60)
    stats = errors.stats()
    assert stats.confirmed + stats.collapsed == stats.handled == 500


def test_each_thread_has_its_own_scope(errors: SyncErrorManager, broker: RabbitMQ) -> None:
    def work(order: int) -> None:
        with errors.bind(order=order), errors.set_user(order):
            errors.add_breadcrumb(f"packing {order}")
            with errors.guard("high", reraise=False):
                raise ValueError(str(order))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    errors.capture_message("packed", "high")
    assert errors.flush(60)
    *packed, message = sorted(events_of(broker, Lane.HIGH, 5), key=lambda event: event.message)
    assert message.message == "packed"
    assert message.tags == {}
    for order, event in enumerate(packed):
        assert (event.tags, event.user, event.handled) == ({"order": order}, {"id": order}, True)
        assert [crumb["message"] for crumb in event.breadcrumbs][-1] == f"packing {order}"


def test_the_same_exception_is_one_event_and_a_manager_without_a_url_only_answers() -> None:
    errors = SyncErrorManager(service="billing")
    error = ValueError("x")
    first = errors.handle_error(error, durability="confirmed")
    assert errors.handle_once(error) is first
    assert first.state.reason == "disabled"
    assert errors.flush(0)
    errors.close()


def test_what_comes_after_the_end_is_refused_and_counted(errors: SyncErrorManager) -> None:
    errors.close()
    errors.close()
    response = errors.handle_error(ValueError("late"), durability="spooled")
    assert response.state.reason == "manager_closed"


def test_what_a_dead_process_left_is_published_by_one_that_connects(broker: RabbitMQ, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with SyncErrorManager(service="billing", broker_url=NOBODY_LISTENS, spool_path=spool) as errors:
        left = errors.handle_error(ValueError("x"), "high", durability="spooled")
    with SyncErrorManager(service="billing", broker_url=broker.url, spool_path=spool) as heir:
        (event,) = events_of(broker, Lane.HIGH, 1)
        assert heir.stats().handled == 0
    assert event.id == left.error_id
