"""What a unit test may not do: start a process, talk to a server, open a database's file, or wait."""

import os
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

TARGETS: Final = (
    *((subprocess, "Popen"), (os, "fork"), (os, "posix_spawn")),
    *((socket.socket, "connect"), (socket.socket, "connect_ex"), (socket.socket, "bind")),
    *((socket, "getaddrinfo"), (sqlite3, "connect"), (time, "sleep")),
)
PAUSE_SECONDS: Final = 0.01
"""Who waits for another thread looks again after less; how long that one rests is its own affair."""


@pytest.fixture(autouse=True)
def _no_io() -> Iterator[None]:
    """Fail a test that reaches out of its process, also where our code catches what it is refused by."""
    refused: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in TARGETS:
            patch.setattr(owner, name, _refusing(getattr(owner, name), name, refused))
        yield
    assert refused == [], "what starts, connects, opens or waits belongs to tests/contract"


def _refusing(real: Callable[..., Any], name: str, refused: list[str]) -> Callable[..., Any]:
    def refuse(*arguments: Any, **options: Any) -> Any:
        is_pause = name == "sleep" and (
            arguments[0] < PAUSE_SECONDS or threading.current_thread() is not threading.main_thread()
        )
        if is_pause or arguments[:1] == (":memory:",):
            return real(*arguments, **options)
        refused.append(f"{name}{arguments}")
        raise PermissionError(f"{name} in a unit test")

    return refuse
