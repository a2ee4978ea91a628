"""A service that hands over events at its last instant, and leaves in one of many ways.

Usage: python -m tests.faults.leaver WAY SPOOL LEDGER
"""

import _thread
import asyncio
import atexit
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NoReturn

from faultwire import ErrorManager, SyncErrorManager
from faultwire.process.exit import _close_all

EVENTS: Final = 300
NOBODY_LISTENS: Final = "amqp://127.0.0.1:1/"
SPOOL, LEDGER = (Path(sys.argv[2]), Path(sys.argv[3])) if len(sys.argv) > 3 else (Path(), Path())


def manage(*, flush_on_sigterm: bool = True) -> ErrorManager:
    return ErrorManager(
        collapse_storms=False,
        service="shop",
        broker_url=NOBODY_LISTENS,
        spool_path=SPOOL,
        flush_on_sigterm=flush_on_sigterm,
    )


def emit(errors: ErrorManager | SyncErrorManager) -> None:
    """Hand the events over; their ids are in the ledger when this returns."""
    ids = [errors.handle_error_nowait(ValueError(str(number))).error_id for number in range(EVENTS)]
    with LEDGER.open("a") as ledger:
        ledger.write("".join(f"{event_id}\n" for event_id in ids))


def kill() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def wait_for_ever() -> NoReturn:
    while True:
        time.sleep(1)


def by_exception() -> None:
    emit(manage())
    raise RuntimeError("nobody catches it")


def by_sys_exit() -> None:
    emit(manage())
    sys.exit(3)


def by_sigterm() -> None:
    emit(manage())
    kill()
    wait_for_ever()


def by_sigterm_in_a_busy_loop() -> None:
    emit(manage())
    threading.Timer(0.3, kill).start()
    while True:
        pass


def by_sigterm_in_asyncio() -> None:
    async def main() -> None:
        async with manage() as errors:
            emit(errors)
            kill()
            await asyncio.Event().wait()

    asyncio.run(main())


def by_sigterm_with_an_earlier_handler() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    emit(manage())
    kill()
    wait_for_ever()


def by_sigterm_with_a_later_handler() -> None:
    errors = manage()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    emit(errors)
    kill()
    wait_for_ever()


def by_sigterm_with_a_handler_of_the_loop() -> None:
    async def main() -> None:
        stop = asyncio.Event()
        async with manage() as errors:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
            emit(errors)
            kill()
            await stop.wait()

    asyncio.run(main())


def by_sigterm_on_a_disk_that_hangs() -> None:
    errors = manage()
    outlet = errors._parts.outlet
    assert outlet is not None
    assert outlet.spool is not None
    outlet.spool.turning.acquire()
    emit(errors)
    kill()
    wait_for_ever()


def without_the_handler() -> None:
    errors = manage(flush_on_sigterm=False)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    threading.Thread(target=manage).start()
    emit(errors)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def by_a_closed_loop() -> None:
    async def main() -> None:
        errors = await manage().__aenter__()
        emit(errors)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()


def by_a_closed_loop_and_another_one() -> None:
    errors = manage()

    async def main() -> None:
        await errors.__aenter__()
        emit(errors)

    for _ in range(2):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        emit(errors)


def in_a_thread() -> None:
    errors = manage()
    threading.Thread(target=emit, args=(errors,)).start()


def in_a_forked_child() -> None:
    errors = manage()
    emit(errors)
    child = os.fork()
    emit(errors)
    if child:
        assert os.waitpid(child, 0)[1] == 0


def in_a_forked_child_by_sigterm() -> None:
    errors = manage()
    emit(errors)
    child = os.fork()
    if not child:
        emit(errors)
        kill()
        wait_for_ever()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM


def in_a_child_of_multiprocessing() -> None:
    errors = manage()
    emit(errors)
    child = multiprocessing.get_context("fork").Process(target=emit, args=(errors,))
    child.start()
    child.join()
    assert child.exitcode == 0


def in_a_child_of_multiprocessing_that_is_terminated() -> None:
    errors = manage()

    def work() -> None:
        emit(errors)
        wait_for_ever()

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    while not LEDGER.exists() or LEDGER.read_text().count("\n") < EVENTS:
        time.sleep(0.001)
    child.terminate()
    child.join()
    assert child.exitcode == -signal.SIGTERM


def by_sigterm_while_a_thread_hands_over() -> None:
    errors = ErrorManager(service="shop", broker_url=NOBODY_LISTENS, spool_path=SPOOL)

    def work() -> None:
        with LEDGER.open("a", buffering=1) as ledger:
            for number in range(10**9):
                ledger.write(f"{errors.handle_error_nowait(ValueError(str(number % 7))).error_id}\n")

    threading.Thread(target=work, daemon=True).start()
    while not LEDGER.exists() or LEDGER.read_text().count("\n") < EVENTS:
        time.sleep(0.001)
    kill()
    wait_for_ever()


def by_an_exit_hook_that_is_older_than_ours() -> None:
    # As if it had been registered before the client was imported: it runs after the client's own.
    atexit.unregister(_close_all)
    errors = manage()
    atexit.register(emit, errors)
    atexit.register(_close_all)


def by_an_exit_hook_that_is_older_than_ours_after_an_event() -> None:
    atexit.unregister(_close_all)
    errors = SyncErrorManager(
        service="shop", broker_url=NOBODY_LISTENS, spool_path=SPOOL, collapse_storms=False
    )
    emit(errors)
    atexit.register(emit, errors)
    atexit.register(_close_all)


def without_threads() -> None:
    def refuse(*_: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    threading.Thread.start = refuse  # type: ignore[assignment]  # as at a limit of processes
    emit(manage())


def without_threads_by_sigterm() -> None:
    def refuse(*_: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    threading.Thread.start = refuse  # type: ignore[assignment]  # as above
    _thread.start_new_thread = refuse  # as above
    emit(manage())
    kill()
    wait_for_ever()


WAYS: Final[Mapping[str, tuple[Callable[[], None], int, int]]] = {
    way.__name__: (way, code, events)
    for way, code, events in (
        (by_exception, 1, 1),
        (by_sys_exit, 3, 1),
        (by_sigterm, -15, 1),
        (by_sigterm_in_a_busy_loop, -15, 1),
        (by_sigterm_in_asyncio, -15, 1),
        (by_sigterm_with_an_earlier_handler, 7, 1),
        (by_sigterm_with_a_later_handler, 7, 1),
        (by_sigterm_with_a_handler_of_the_loop, 0, 1),
        (by_a_closed_loop, 0, 1),
        (by_a_closed_loop_and_another_one, 0, 4),
        (in_a_thread, 0, 1),
        (in_a_forked_child, 0, 3),
        (in_a_forked_child_by_sigterm, 0, 2),
        (in_a_child_of_multiprocessing, 0, 2),
        (in_a_child_of_multiprocessing_that_is_terminated, 0, 1),
        (without_the_handler, 0, 1),
        (by_sigterm_on_a_disk_that_hangs, -15, 0),
        (by_an_exit_hook_that_is_older_than_ours, 0, 1),
        (by_an_exit_hook_that_is_older_than_ours_after_an_event, 0, 2),
        (without_threads, 0, 1),
        (without_threads_by_sigterm, -15, 1),
    )
}
"""Each way with the exit code that it has without us, and how many times ``EVENTS`` must be found."""
UNDER_WAY: Final = by_sigterm_while_a_thread_hands_over
"""A way whose number of events nobody knows before."""


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)
    WAYS.get(sys.argv[1], (UNDER_WAY,))[0]()
