"""The time that aiohttp gives a whole request, as seen from inside a middleware."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp


def ran_out(request: aiohttp.ClientRequest) -> bool:
    """Return True if the time that aiohttp gives the whole request (``ClientTimeout.total``) is over.

    While connecting or waiting, aiohttp ends a request by a cancellation, which only its timer knows.
    """
    timer = getattr(request, "_timer", None)
    try:
        if timer is not None:
            timer.assert_timeout()
    except TimeoutError:
        return True
    return False


@contextmanager
def raising_timeout(request: aiohttp.ClientRequest) -> Iterator[None]:
    """Raise the `TimeoutError` that aiohttp would raise further out, so that it can be reported.

    As in aiohttp's ``TimerContext``, somebody else's cancellation at the same time takes precedence.
    """
    task = asyncio.current_task()
    cancelling = task.cancelling() if task is not None else 0
    try:
        yield
    except asyncio.CancelledError as cancelled:
        if task is None or not ran_out(request) or task.cancelling() > cancelling + 1:
            raise
        task.uncancel()
        raise TimeoutError from cancelled
