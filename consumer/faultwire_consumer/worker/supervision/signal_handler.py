"""Meaning of SIGTERM, SIGINT and SIGHUP to a worker or gateway while its loop runs."""

import asyncio
import os
import signal
from functools import partial
from typing import Final

_STDIN: Final = 0


def handle_signals(stop: asyncio.Event, asked: asyncio.Event) -> None:
    """Have SIGTERM and SIGINT end the process, and SIGHUP ask for what can be read again."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, partial(ask_or_end, stop, asked, had_terminal=os.isatty(_STDIN)))


def ask_or_end(stop: asyncio.Event, asked: asyncio.Event, *, had_terminal: bool) -> None:
    """Ask for settings to be read again; but a terminal that went away takes its user's process along."""
    if had_terminal and not os.isatty(_STDIN):
        stop.set()
    else:
        asked.set()
