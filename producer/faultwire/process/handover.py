"""Whether this thread hands over an error just now: what is logged meanwhile is about that, and no news."""

import threading
from typing import Final


class _Handover(threading.local):
    depth = 0


HANDOVER: Final = _Handover()


def is_under_way() -> bool:
    """Whether it is."""
    return HANDOVER.depth > 0
