"""The event loop of what serves: the fastest that is installed."""

import asyncio
from collections.abc import Callable
from importlib.util import find_spec


def find_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where the extra ``speed`` is installed; None for Python's own."""
    if find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - an extra, and of no use to any other command

    return uvloop.new_event_loop
