"""The threads that large bodies are read in: on the loop, all else of the process would wait for them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

LARGE_BYTES: Final = 64 * 1024
"""From here on it is worth a thread: an event of a mebibyte takes up to half a second."""
THREADS: Final = 2
"""So that one sender's large bodies do not hold up all of another's."""

P = ParamSpec("P")
T = TypeVar("T")


class ReadingThreads:
    """Reads what is small at once, and what is large aside."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway-reading")

    async def read(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a reader makes of so many bytes, or raise as it does."""
        if size < LARGE_BYTES:
            return work(*args, **kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(work, *args, **kwargs))
