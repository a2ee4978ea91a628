"""The chain that an event passes before it is published; services add their own steps."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from faultwire_shared.event import Event
from faultwire_shared.foreign.interruption import pass_interruption

Processor = Callable[[Event], Event | None]
"""Takes an event and returns it, changed or not; None drops it, and the drop is counted."""

logger: logging.Logger = logging.getLogger("faultwire")

_TOLD_MAXIMUM: Final = 100
_told: set[str] = set()


def run(chain: Iterable[Processor], event: Event) -> tuple[Event | None, int]:
    """Pass the event along the chain.

    A processor that raises, or returns something other than an event, is left out for this event.

    Returns:
        The event, or None when a processor dropped it; and how many processors failed.
    """
    failures = 0
    for processor in chain:
        try:
            result = processor(event)
        except BaseException as error:  # noqa: BLE001 - the host's own code may raise anything, and the event goes on
            pass_interruption(error)
            failures += 1
            _tell(processor, error)
            continue
        if result is None:
            return None, failures
        if isinstance(result, Event):
            event = result
        else:
            failures += 1
            _tell(processor, TypeError(f"returned {type(result).__name__}, not Event or None"))
    return event, failures


def _tell(processor: Processor, error: BaseException) -> None:
    try:
        name = str(getattr(processor, "__qualname__", type(processor).__qualname__))
        if name not in _told and len(_told) < _TOLD_MAXIMUM:
            _told.add(name)
            extra = {"event": "processor.failed", "processor": name}
            logger.warning("processor.failed processor=%s", name, extra=extra, exc_info=error)
    except BaseException as failure:  # noqa: BLE001 - a handler of the host's, or the processor's name, may raise
        pass_interruption(failure)
