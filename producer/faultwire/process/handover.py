"""Mark of a thread that is handing over an error: what is logged meanwhile is about that, and not news."""

import threading
from typing import Final


class _Handover(threading.local):
    depth = 0


HANDOVER: Final = _Handover()


def is_under_way() -> bool:
    """True while this thread hands over an error."""
    return HANDOVER.depth > 0
