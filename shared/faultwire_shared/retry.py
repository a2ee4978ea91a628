"""Waits before another attempt. The only module that imports ``backoff``."""

from collections.abc import Iterator

import backoff


def full_jitter_delays(first_seconds: float = 0.2, max_seconds: float = 15.0) -> Iterator[float]:
    """Yield endless waits in seconds: each drawn from zero to a bound that doubles up to ``max_seconds``.

    Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter") spreads the
    reconnects of many clients after one outage; a floor of ``first_seconds`` keeps a draw near
    zero from becoming a busy loop.
    """
    bounds = backoff.expo(base=2, factor=first_seconds, max_value=max_seconds)
    next(bounds)  # backoff's generators yield once before their first value
    for bound in bounds:
        yield max(first_seconds, backoff.full_jitter(bound))


def doubling_delays(first_seconds: float) -> Iterator[float]:
    """Yield endless waits in seconds without randomness: the first, twice as long, four times as long."""
    delays = backoff.expo(base=2, factor=first_seconds)
    next(delays)  # as above
    return delays
