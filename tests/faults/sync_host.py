"""A service without an event loop: it forks, spawns, runs threads, and leaves in one of many ways.

Usage: python -m tests.faults.sync_host WAY URL SPOOL LEDGERS
"""

import faulthandler
import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from faultwire import ErrorResponse, SyncErrorManager
from faultwire.integrations.hooks import install
from faultwire.process import loop_thread

EVENTS: Final = 200
CHILDREN: Final = 3
IS_HOST: Final = sys.argv[0].endswith("sync_host.py")
URL, *PLACES = sys.argv[2:] if IS_HOST else ("http://127.0.0.1:1", "", "")
SPOOL, LEDGERS = map(Path, PLACES)
# At a module's top, as services have it; a process that is spawned imports this module anew.
errors: Final = SyncErrorManager(
    service="shop", broker_url=URL, spool_path=SPOOL if IS_HOST else "", collapse_storms=False
)


def emit(events: int = EVENTS) -> list[ErrorResponse]:
    """Hand the events over; their ids are in this thread's ledger when it returns."""
    responses = [errors.handle_error(ValueError(str(number)), "high") for number in range(events)]
    path = LEDGERS / f"ids-{os.getpid()}"
    with path.open("a") as ledger:
        ledger.write("".join(f"{response.error_id}\n" for response in responses))
    return responses


def emit_confirmed() -> None:
    for response in emit():
        while response.wait_delivered(60).state != "confirmed":  # it was on disk meanwhile
            time.sleep(0.005)


def wait_for(child: int) -> None:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def at_exit() -> None:
    emit()


def at_exit_by_exception() -> None:
    emit()
    raise RuntimeError("nobody catches it")


def at_exit_with_a_daemon_at_work() -> None:
    threading.Thread(target=lambda: [errors.handle_error(ValueError("x")) for _ in iter(int, 1)], daemon=True)
    emit()


def closed() -> None:
    emit()
    errors.close()


def in_a_block() -> None:
    with errors:
        emit()


def in_a_thread_pool() -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(emit) for _ in range(8)]:
            done.result()
    with ThreadPoolExecutor(4) as pool:
        for ended in [pool.submit(emit_confirmed) for _ in range(4)]:
            ended.result()


def in_spawned_children() -> None:
    emit()
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=emit) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0


def in_forked_children() -> None:
    """As gunicorn does with --preload: the parent goes on all the while, its threads included."""
    emit()
    working = threading.Thread(target=lambda: [emit(20) for _ in range(EVENTS // 20)])
    working.start()
    for _ in range(CHILDREN):
        child = os.fork()
        if not child:
            leave_after(in_a_child)
        other = multiprocessing.get_context("fork").Process(target=in_a_child)
        other.start()
        wait_for(child)
        other.join()
        assert other.exitcode == 0
    working.join()
    emit_confirmed()
    stats = errors.stats()
    assert (stats.handled, stats.adopted) == (3 * EVENTS, 0), stats


def leave_after(step: Callable[[], None]) -> NoReturn:
    """A forked child's way out, as servers have it: never by the interpreter's end.

    That would wait for the watchdog's thread (faulthandler), which stayed with the parent.
    """
    try:
        step()
        errors.close()
    except BaseException:  # noqa: BLE001 - whatever it is, it is told, and this process is over
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def in_a_child() -> None:
    threads = [threading.Thread(target=emit_confirmed) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = errors.stats()
    assert (stats.handled, stats.confirmed, stats.adopted) == (2 * EVENTS, 2 * EVENTS, 0), stats


def in_a_child_that_is_forked_during_the_import() -> None:
    """The publisher's thread has just begun to import what it publishes with."""
    assert not {"aiohttp", "aio_pika"} & set(sys.modules)
    errors.handle_error(ValueError("the first"))
    child = os.fork()
    if not child:
        leave_after(import_and_emit)
    wait_for(child)


def import_and_emit() -> None:
    import aiohttp  # noqa: F401, PLC0415 - it hangs where the fork came in the midst of the parent's

    emit_confirmed()


def with_imports_where_a_fork_waits_for_them() -> None:
    """Of a module that is just being imported elsewhere, a forked child would wait for ever."""
    unguarded: list[str] = []

    def on_audit(name: str, words: tuple[object, ...]) -> None:
        elsewhere = threading.current_thread() is not threading.main_thread()
        a_fork_waits = loop_thread._importing.locked()
        if name == "import" and elsewhere and not a_fork_waits:
            unguarded.append(f"{words[0]} in {threading.current_thread().name}")

    sys.addaudithook(on_audit)
    emit_confirmed()
    while not list(SPOOL.glob("*.ledger")):
        time.sleep(0.005)
    assert not unguarded, unguarded


class Cyclic:
    """Garbage whose destructor hands over an error, wherever the collector finds it."""

    def __init__(self, to: SyncErrorManager = errors) -> None:
        self.me = self
        self.to = to
        uncollected.add(id(self))

    def __del__(self) -> None:
        handed.append(self.to.handle_error(ValueError("destructor")).error_id)
        uncollected.discard(id(self))


handed: Final[list[str]] = []
uncollected: Final[set[int]] = set()


@contextmanager
def interrupted(to: SyncErrorManager = errors) -> Iterator[None]:
    """A signal half a millisecond after the last, and garbage all the time, both with errors of their own."""

    def on_alarm(_: int, __: object) -> None:
        handed.append(to.handle_error(ValueError("signal")).error_id)
        # Only now, or a slow machine would do nothing else.
        signal.setitimer(signal.ITIMER_REAL, 0.0005)

    signal.signal(signal.SIGALRM, on_alarm)
    gc.set_threshold(20)
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        gc.set_threshold(700)
        while uncollected:  # a thread of the manager's may be at it just now
            gc.collect()


def in_handlers_and_destructors() -> None:
    """Wherever the manager is just then, its first steps included."""
    with interrupted():
        for _ in range(20):
            for _ in range(50):
                Cyclic()
            emit(50)
    events = len(handed) + 20 * 50
    (LEDGERS / "ids-handed").write_text("".join(f"{event_id}\n" for event_id in handed))
    assert len(handed) >= 1000
    while errors.stats().buffered or errors.stats().spooled:
        time.sleep(0.01)
    assert errors.stats().confirmed == events


def in_handlers_and_destructors_while_bursts_are_collapsed() -> None:
    collapsing = SyncErrorManager(service="shop", broker_url=URL, spool_path=SPOOL)
    with collapsing, interrupted(collapsing):
        for number in range(3_000):
            Cyclic(collapsing)
            collapsing.handle_error(ValueError(str(number % 40)), fingerprint=[str(number % 40)])
    stats = collapsing.stats()
    assert stats.collapsed > 100, stats
    assert stats.handled == stats.confirmed + stats.collapsed + stats.spooled + sum(stats.lost.values()), (
        stats
    )


def in_handlers_and_destructors_of_two_managers_in_many_threads() -> None:
    """Whoever is interrupted while it holds what another waits for waits for nothing itself."""
    one, other = (SyncErrorManager(service="shop", broker_url=URL, spool_path=SPOOL) for _ in range(2))

    def work(mine: SyncErrorManager, others: SyncErrorManager) -> None:
        for number in range(1_000):
            Cyclic(others)
            mine.handle_error(ValueError(str(number % 40)), fingerprint=[str(number % 40)])
            mine.stats()

    threads = [threading.Thread(target=work, args=pair) for pair in ((one, other), (other, one)) * 2]
    with one, other, interrupted(other):
        for thread in threads:
            thread.start()
        work(one, other)
        for thread in threads:
            thread.join()
    for stats in (one.stats(), other.stats()):
        settled = stats.confirmed + stats.collapsed + stats.spooled + sum(stats.lost.values())
        assert (stats.handled, stats.buffered) == (settled, 0), stats


def in_a_host_that_begins_to_run_asyncio() -> None:
    import asyncio  # noqa: PLC0415 - the host has it late

    async def main() -> None:
        emit()
        await asyncio.to_thread(emit_confirmed)

    emit()
    for _ in range(2):
        asyncio.run(main())


def by_an_error_that_nobody_catches() -> None:
    """The hook's events are known by their texts; its ids nobody is told."""
    install(errors)
    raise RuntimeError("the end")


def by_an_error_in_a_destructor_at_the_end() -> None:
    """The queue is not yet empty when the interpreter goes."""

    class Leaky:
        def __del__(self) -> None:
            raise RuntimeError("in a destructor")

    install(errors)
    for _ in range(EVENTS):
        Leaky()


def by_what_ends_children_of_multiprocessing() -> None:
    """They catch it in the interpreter's place, and print it."""
    install(errors)
    forking, spawning = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
    for child in (forking.Process(target=end_badly), spawning.Process(target=end_badly)):
        child.start()
        child.join()
        assert child.exitcode == 1


def end_badly() -> None:
    raise RuntimeError("the child is broken")


if __name__ == "__mp_main__":  # a spawned one has no hooks but its own
    install(errors)


WAYS: Final[Mapping[str, tuple[Callable[[], None], int, int]]] = {
    way.__name__: (way, code, events)
    for way, code, events in (
        (at_exit, 0, EVENTS),
        (at_exit_by_exception, 1, EVENTS),
        (closed, 0, EVENTS),
        (in_a_block, 0, EVENTS),
        (in_a_thread_pool, 0, 12 * EVENTS),
        (in_spawned_children, 0, 3 * EVENTS),
        (in_forked_children, 0, (3 + 4 * CHILDREN) * EVENTS),
        (in_a_child_that_is_forked_during_the_import, 0, EVENTS),
        (with_imports_where_a_fork_waits_for_them, 0, EVENTS),
        (in_handlers_and_destructors, 0, 0),
        (in_handlers_and_destructors_while_bursts_are_collapsed, 0, 0),
        (in_handlers_and_destructors_of_two_managers_in_many_threads, 0, 0),
        (in_a_host_that_begins_to_run_asyncio, 0, 5 * EVENTS),
    )
}
"""Each way with its exit code, and how many events stand in its ledgers; 0 where that depends."""

HOOKED: Final[Mapping[str, tuple[Callable[[], None], int, str, int]]] = {
    "by_an_error_that_nobody_catches": (by_an_error_that_nobody_catches, 1, "critical", 1),
    "by_what_ends_children_of_multiprocessing": (
        by_what_ends_children_of_multiprocessing,
        0,
        "critical",
        2,
    ),
    "by_an_error_in_a_destructor_at_the_end": (by_an_error_in_a_destructor_at_the_end, 0, "high", EVENTS),
}
"""Each way with its exit code, and its events' severity and number."""

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("faultwire").addFilter(lambda record: record.__dict__["event"] != "error.handled")
    faulthandler.dump_traceback_later(80)
    (WAYS.get(sys.argv[1]) or HOOKED[sys.argv[1]])[0]()
