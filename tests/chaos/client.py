"""A service under chaos, in a process of its own: it hands over errors and writes down each call and answer.

Usage: python -m tests.chaos.client WAY URL SERVICE SPOOL SEED PER_SECOND

It goes on until its standard input ends, and then closes. `tests.chaos.book` says what its lines mean.
"""

import asyncio
import json
import os
import select
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Final, NoReturn

from msgspec import Struct
from tests.chaos.trouble import GROUPS, caught

from faultwire import ErrorManager, ErrorResponse, SyncErrorManager
from faultwire.client import Client

BURST: Final = 60
BURST_SHARE: Final = 0.01
SHARES: Final = (("critical", 0.04), ("high", 0.12), ("medium", 0.5), ("low", 1.0))
THREADS: Final = 3
CHILD_SECONDS: Final = 1.5
LOOKED_AFTER: Final = 2_000
"""Answers whose state is looked at again at most; what is older is a promise that nobody has seen."""


class Order(Struct, frozen=True):
    """What this process was told to do."""

    way: str
    url: str
    service: str
    spool: str
    seed: int
    per_second: float


def say(*words: object) -> None:
    """Write one line, whole: a pipe takes less than PIPE_BUF at once, and from many at a time."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Reporter:
    """Hands errors over and follows what became of them."""

    def __init__(self, errors: Client, chance: Random) -> None:
        self._errors = errors
        self._chance = chance
        self._open: list[ErrorResponse] = []

    def report(self) -> None:
        """One error, or a burst of one."""
        group, severity = self._draw()
        for _ in range(BURST if self._chance.random() < BURST_SHARE else 1):
            self._call(group, severity)
        self.look()

    def _draw(self) -> tuple[str, str]:
        point = self._chance.random()
        severity = next(name for name, share in SHARES if point < share)
        groups = GROUPS[severity]
        return groups[int(self._chance.random() * len(groups))], severity

    def _call(self, group: str, severity: str) -> None:
        pid = os.getpid()
        say("call", pid, group)
        try:
            response = self._errors.handle_error_nowait(caught(group), severity, fingerprint=[group])
        except Exception as error:  # noqa: BLE001 - that it never raises is what is tested
            say("raised", pid, type(error).__name__)
            return
        say("told", pid, group, response.error_id, response.state.state)
        self._open = [*self._open[-LOOKED_AFTER:], response]

    def look(self) -> None:
        """Write down what has become final; a promise counts from then on."""
        still: list[ErrorResponse] = []
        for response in self._open:
            state = response.state
            if state.state == "buffered":
                still.append(response)
            elif state.accepted:
                say("kept", os.getpid(), response.error_id)
            else:
                say("refused", os.getpid(), response.error_id, state.reason)
        self._open = still


def is_over(seconds: float = 0) -> bool:
    """Whether the standard input has ended; waits for that so long at most."""
    return bool(select.select([0], [], [], seconds)[0])


def pauses(order: Order, chance: Random) -> Iterator[float]:
    """Seconds between two errors, by chance."""
    while True:
        yield 2 * chance.random() / order.per_second if order.per_second else 0.05


def say_end(errors: ErrorManager | SyncErrorManager) -> None:
    stats = errors.stats()
    names = ("handled", "confirmed", "spooled", "adopted", "collapsed", "buffered")
    figures = {name: getattr(stats, name) for name in names} | {"lost": dict(stats.lost)}
    say("end", os.getpid(), json.dumps(figures, separators=(",", ":")))


async def in_a_loop(order: Order) -> None:
    chance = Random(f"{order.seed}:{os.getpid()}")
    manager = ErrorManager(service=order.service, broker_url=order.url, spool_path=order.spool)
    async with manager as errors:
        reporter = Reporter(errors, chance)
        for pause in pauses(order, chance):
            await asyncio.sleep(pause)
            if is_over():
                break
            if order.per_second:
                reporter.report()
    reporter.look()
    say_end(manager)


def make_sync(order: Order) -> SyncErrorManager:
    return SyncErrorManager(service=order.service, broker_url=order.url, spool_path=order.spool)


def work(order: Order, errors: SyncErrorManager, seed: str, until: Callable[[float], bool]) -> Reporter:
    chance = Random(seed)
    reporter = Reporter(errors, chance)
    for pause in pauses(order, chance):
        if until(pause):
            return reporter
        reporter.report()
    raise AssertionError("pauses never end")


def in_threads(order: Order) -> None:
    errors = make_sync(order)
    reporters: list[Reporter] = []
    threads = [
        threading.Thread(
            target=lambda number=number: reporters.append(
                work(order, errors, f"{order.seed}:{os.getpid()}:{number}", is_over)
            )
        )
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors.close()
    for reporter in reporters:
        reporter.look()
    say_end(errors)


def in_forks(order: Order) -> None:
    """The parent hands over too, and always has two children, each for a while."""
    errors = make_sync(order)
    children: set[int] = set()

    def tend(pause: float) -> bool:
        for child in list(children):
            if os.waitpid(child, os.WNOHANG)[0]:
                children.discard(child)
        while len(children) < 2:
            child = os.fork()
            if not child:
                be_a_child(order, errors)
            children.add(child)
        return is_over(pause)

    reporter = work(order, errors, f"{order.seed}:{os.getpid()}", tend)
    errors.close()
    reporter.look()
    say_end(errors)
    for child in children:
        with suppress(ChildProcessError):
            os.waitpid(child, 0)


def be_a_child(order: Order, errors: SyncErrorManager) -> NoReturn:
    """As a server's forked process: it works for a while, closes, and never sees the interpreter's end."""
    ends_at = time.monotonic() + CHILD_SECONDS
    try:
        seed = f"{order.seed}:{os.getpid()}"
        reporter = work(order, errors, seed, lambda pause: is_over(pause) or time.monotonic() > ends_at)
        errors.close()
        reporter.look()
        say_end(errors)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent's code is not this process's
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(order: Order) -> None:
    if order.way == "loop":
        asyncio.run(in_a_loop(order))
    elif order.way == "threads":
        in_threads(order)
    else:
        in_forks(order)


if __name__ == "__main__":
    way, url, service, spool, seed, per_second = sys.argv[1:]
    main(Order(way, url, service, spool, int(seed), float(per_second)))
