"""Tests of receivers: marked, bounded, and told as they ended."""

from collections.abc import Callable

import pytest
from tests.tools.clock import FixedClock
from tests.tools.recording import RecordingSender

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.message import SUBJECT_CHARACTERS, json_of, message_of
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Transient
from faultwire_consumer.notify.trial import TESTS_MAX, ReceiverNotFoundError, TooManyTestsError, Trial

Making = Callable[[RecordingSender], Trial]


@pytest.fixture
def make(clock: FixedClock) -> Making:
    def made(sender: RecordingSender) -> Trial:
        senders = {sender.name: sender}
        return Trial(lambda: senders, metrics=Metrics(), clock=clock, make_key=lambda: "test:1")

    return made


async def test_a_test_is_marked_as_one_and_says_who_asked(make: Making) -> None:
    sender = RecordingSender("pager")
    result = await make(sender).run("pager", actor="ana <b>")
    assert (result.outcome, result.reason, result.idempotency_key) == ("sent", None, "test:1")
    (sent,) = sender.received
    assert (sent.kind, sent.incidents) == (NotificationKind.TEST, ())
    message = message_of(sent)
    assert message.subject == "[test] faultwire tests the receiver pager"
    assert message.text.startswith("A test of this receiver. Nothing happened")
    assert "Asked for by ana <b>." in message.text
    assert b'"type":"test.requested"' in json_of(sent)


async def test_a_long_name_fits_the_subject(make: Making) -> None:
    sender = RecordingSender("p" * 50)
    await make(sender).run("p" * 50, actor="a" * 500)
    assert len(message_of(sender.received[0]).subject) <= SUBJECT_CHARACTERS


@pytest.mark.may_block("a trace is logged with its lines")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Permanent(SendReason.GONE, "410 Gone"), ("permanent", "gone", "410 Gone")),
        (Transient(SendReason.TIMEOUT, "10 s"), ("transient", "timeout", "10 s")),
        (RuntimeError("boom"), ("transient", "not_sendable", "the sender failed: RuntimeError")),
    ],
)
async def test_a_test_that_fails_says_why_and_is_not_made_again(
    make: Making, answer: Outcome | Exception, told: tuple[str, str, str]
) -> None:
    sender = RecordingSender("pager")
    sender.answers = [answer]
    result = await make(sender).run("pager", actor="ana")
    assert (result.outcome, result.reason, result.detail) == told
    assert len(sender.received) == 1


async def test_an_unknown_receiver_is_told_with_the_one_that_was_meant(make: Making) -> None:
    with pytest.raises(ReceiverNotFoundError, match="did you mean pager"):
        await make(RecordingSender("pager")).run("pagr", actor="ana")


async def test_tests_are_bounded_by_the_minute(make: Making, clock: FixedClock) -> None:
    sender = RecordingSender("pager")
    trial = make(sender)
    for _ in range(TESTS_MAX):
        await trial.run("pager", actor="ana")
    with pytest.raises(TooManyTestsError):
        await trial.run("pager", actor="ana")
    assert len(sender.received) == TESTS_MAX
    clock.advance(60)
    await trial.run("pager", actor="ana")
