"""Whatever is handed over, wherever on the stack: no public call raises, and every error is counted.

``FAULTWIRE_CALLS=1000000`` makes as many calls, which takes an hour; in parts of 100,000 each begins
at the seed ``FAULTWIRE_CALLS_SEED``, 200 after the one before.
"""

import logging
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

import pytest
from tests.contract.producer.hostile import RAISES, HostileHost, hostile_class
from tests.tools.fake_transport import FakeTransport

from faultwire import BusinessError, ErrorManager, SyncErrorManager
from faultwire.capture import scope
from faultwire.client import Durability
from faultwire.integrations.logging import ErrorHandler
from faultwire_shared import codec
from faultwire_shared.event import Lane

pytestmark = pytest.mark.may_block("has no loop")

CALLS: Final = int(os.environ.get("FAULTWIRE_CALLS", "1000"))
SEED: Final = int(os.environ.get("FAULTWIRE_CALLS_SEED", "0"))
ROUND: Final = 500
"""Calls of one manager, whose counts are then looked at."""
NAMES: Final = (
    *("severity", "context", "user_message", "tags", "user"),
    *("request", "transaction", "fingerprint", "handled", "template"),
)


class Raising(logging.Handler):
    """A handler of the host's that raises."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    def handle(self, record: logging.LogRecord) -> bool:
        if self._random.random() < 0.1:
            self._random.choice(RAISES)()
        return True


class Caller:
    """Makes one public call after the other with what no host should hand over; counts the errors."""

    def __init__(self, random: Random) -> None:
        self.host = HostileHost(random)
        self.random = random
        self.handed_over = 0
        self.errors = ErrorManager(
            service="shop",
            transport=FakeTransport,
            collapse_storms=random.random() < 0.8,
            ignore_errors=["KeyError"],
            processors=[self._process],
            clock=self._clock,
            include_locals=random.choice(["none", "own"]),
        )
        self._handler = ErrorHandler(self.errors)
        self._verbs: list[tuple[int, Callable[[], object]]] = [
            (1, self._nowait), (1, self._once), (1, self._message), (1, self._guard), (1, self._log),
            (0, self._bind), (0, self._breadcrumb), (0, self._user), (0, self._information),
        ]  # fmt: skip

    def call(self) -> None:
        errors, verb = self.random.choice(self._verbs)
        verb()
        self.handed_over += errors

    def _extras(self) -> dict[str, Any]:
        return {name: self.host.value() for name in NAMES if self.random.random() < 0.3}

    def _fresh(self) -> Any:
        """An error that no earlier call has marked."""
        error = self.host.error()
        try:
            error.__dict__.pop("__faultwire_error_id__", None)
        except BaseException:  # noqa: BLE001 - it is hostile
            return error
        return error

    def _nowait(self) -> None:
        response = self.errors.handle_error_nowait(self._fresh(), **self._extras())
        assert response.body()["error"]["id"] == response.error_id

    def _once(self) -> None:
        self.errors.handle_once(self._fresh(), **self._extras())

    def _message(self) -> None:
        self.errors.capture_message(self.host.value())

    def _guard(self) -> None:
        with self.errors.guard(context={"it": self.host.value()}, reraise=False):
            raise ValueError(self.random.random())

    def _log(self) -> None:
        message = self.random.choice(["order %s refused", "%d", "plain"])
        arguments = [self.host.value()] if "%" in message else []
        self._record(logging.ERROR, message, tuple(arguments))

    def _bind(self) -> None:
        bound = self.errors.bind(**{f"tag_{self.random.randrange(3)}": self.host.value()})
        if self.random.random() < 0.5:
            bound.undo()

    def _breadcrumb(self) -> None:
        self.errors.add_breadcrumb(self.host.value(), level=self.host.value(), data=self.host.value())

    def _user(self) -> None:
        self.errors.set_user(self.host.value())
        self.errors.set_request(self.host.value())
        self.errors.set_transaction(self.host.value())

    def _information(self) -> None:
        self._record(logging.INFO, "looked at %s", (self.host.value(),))

    def _record(self, level: int, message: str, arguments: tuple[Any, ...]) -> None:
        """As a logger does, which looks at some arguments itself, and raises then."""
        record = logging.LogRecord("shop.fuzz", level, __file__, 1, message, (), None)
        record.args = arguments
        record.__dict__["given"] = self.host.value()
        self._handler.handle(record)

    def _process(self, event: Any) -> Any:
        if self.random.random() < 0.05:
            self.random.choice(RAISES)()
        return self.host.value() if self.random.random() < 0.05 else event

    def _clock(self) -> Any:
        return datetime.now(UTC) if self.random.random() < 0.9 else self.host.value(0)


def check_counts(errors: ErrorManager | SyncErrorManager, handed_over: int) -> Counter[str]:
    """Every error is in one count, and every number was given to an event that travels or is told lost."""
    parts = errors._parts
    parts.pipeline.hand_over()
    stats = errors.stats()
    assert stats.handled == handed_over
    lost = sum(stats.lost.values())
    assert stats.handled == stats.confirmed + stats.spooled + stats.buffered + stats.collapsed + lost
    assert parts.outlet is not None
    told = {
        number
        for found in parts.losses.ranges().get(parts.account.who.producer_id, [])
        for number in range(found.first or 0, (found.last or 0) + 1)
    }
    travelling = set()
    for lane in Lane:
        while tickets := parts.outlet.buffer.take(lane):
            travelling |= {codec.decode(ticket.body).sequence for ticket in tickets}
    assert told | travelling == set(range(1, parts.account.report().last_sequence + 1))
    assert not told & travelling
    return Counter(stats.lost)


@contextmanager
def a_host_that_raises(random: Random) -> Iterator[None]:
    logger, handler = logging.getLogger("faultwire"), Raising(random)
    logger.addHandler(handler)
    logger.propagate = False  # or pytest would make text of all of it
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(handler)


def test_no_public_call_raises_and_every_error_is_counted() -> None:
    for seed in range(SEED, SEED + max(1, CALLS // ROUND)):
        random = Random(seed)
        caller = Caller(random)
        with a_host_that_raises(random), scope.begin():
            for _ in range(ROUND):
                caller.call()
        check_counts(caller.errors, caller.handed_over)


def call_at_every_depth(call: Callable[[], object], levels: int) -> int:
    """Call from the brink of the stack on, each time a level higher; the number of calls that were begun."""
    begun = 0
    level = 0

    def down() -> None:
        nonlocal begun, level
        try:
            down()
        except RecursionError:
            level += 1
            if 3 <= level < levels:  # nearer to the brink, not even this call begins
                begun += 1
                call()
            raise

    with pytest.raises(RecursionError):
        down()
    return begun


@pytest.mark.parametrize("collapse_storms", [True, False])
def test_near_the_limit_of_recursion_nothing_is_raised_and_no_number_is_missing(
    collapse_storms: bool,
) -> None:
    errors = ErrorManager(service="shop", transport=FakeTransport, collapse_storms=collapse_storms)
    errors.handle_error_nowait(ValueError("warm"))
    ids = []
    given = ValueError("deep")

    def hand_over() -> None:
        ids.append(errors.handle_error_nowait(given).error_id)

    handed_over = 1 + call_at_every_depth(hand_over, 150)
    assert len(ids) == handed_over - 1
    lost = check_counts(errors, handed_over)
    assert 0 < lost["client_failed"] < 100, "only where there was no room for more"


@pytest.mark.parametrize("durability", ["buffered", "confirmed", "spooled"])
def test_near_that_limit_threads_are_answered_too_however_sure_they_want_to_be(
    durability: Durability,
) -> None:
    errors = SyncErrorManager(service="shop", transport=FakeTransport, confirm_timeout=0.01)
    errors.handle_error(ValueError("warm"))
    given = ValueError("deep")
    begun = call_at_every_depth(lambda: errors.handle_error(given, durability=durability), 150)
    assert begun > 100
    assert errors.stats().handled == begun + 1


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_a_text_that_ends_the_process_ends_nothing(raised: BaseException) -> None:
    class MeanError(Exception):
        def __str__(self) -> str:
            raise raised

    errors = SyncErrorManager(service="shop")
    assert errors.handle_error(MeanError()).code == "INTERNAL_ERROR"


@pytest.mark.parametrize("name", ["code", "status", "category", "severity", "details", "args", "__str__"])
def test_whatever_a_kind_of_error_says_of_itself_it_is_answered(name: str) -> None:
    for fail in RAISES:
        kind = hostile_class(BusinessError, frozenset([name]), frozenset(), fail)
        hostile = type("Hostile", (BusinessError,), {name: property(fail)})
        errors = ErrorManager(service="shop", transport=FakeTransport)
        for each in (kind, hostile):
            assert errors.handle_error_nowait(BaseException.__new__(each)).body()["error"]["id"]
        check_counts(errors, 2)


def test_ctrl_c_and_a_signals_handler_that_raises_still_end_what_runs() -> None:
    class Slow:
        def __str__(self) -> str:
            signal.raise_signal(signal.SIGALRM)
            return "slow"

    def end(_: int, frame: FrameType | None) -> None:
        raise SystemExit(7)

    errors = ErrorManager(service="shop", transport=FakeTransport)
    for handler, expected in ((end, SystemExit), (signal.default_int_handler, KeyboardInterrupt)):
        before = signal.signal(signal.SIGALRM, handler)
        try:
            with pytest.raises(expected):
                errors.handle_error_nowait(ValueError(Slow()))
        finally:
            signal.signal(signal.SIGALRM, before)
    assert check_counts(errors, 2) == {"client_failed": 2}


def test_a_system_that_gives_no_thread_loses_nothing_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    errors = SyncErrorManager(service="shop", broker_url="http://127.0.0.1:1", spool_path=tmp_path / "spool")
    responses = [errors.handle_error(ValueError(str(number))) for number in range(20)]
    assert errors.handle_error(ValueError("now"), durability="spooled").state.state == "spooled"
    assert {response.state.state for response in responses} == {"spooled"}
    errors.handle_error(ValueError("at the end"))
    errors.close()
    stats = errors.stats()
    assert (stats.handled, stats.spooled, stats.lost) == (22, 22, {})
    assert caplog.text.count("spool.without_thread") == 1
