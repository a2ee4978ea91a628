"""Tells the service's own code from what is installed beside it, whatever its client says."""

import re
from functools import lru_cache
from typing import Any, Final

from faultwire_consumer.gateway.bounded import PATH_CHARACTERS
from faultwire_consumer.gateway.in_app import is_own_code
from faultwire_shared.event import NAME_CHARACTERS

_SYSTEM: Final = re.compile(
    r"/usr/(?:local/)?lib(?:64)?/|/rustc/|/usr/local/go/|.*/\.cargo/registry/", re.DOTALL
)
"""Folders of the system and of compilers: no service lies there, in whatever language it is written."""
_PLACES: Final = 2048


def judge(said: Any, *, file: str, path: str, module: str, platform: str) -> bool:
    """Return whether a frame is of the service's own code.

    Clients of years ago take all of Python for the service's, and newer ones say nothing of its library:
    so what they say is believed only where it is false, or where nothing speaks against it.

    Args:
        said: what the client says; anything but true or false is nothing.
        file: the frame's file, from wherever its language counts.
        path: where that lies; empty where the client does not say.
        module: the module that it is, in its language's words.
        platform: Sentry's word for the language.
    """
    if said is False:
        return False
    # Of a short name alone only the client knows whose it is.
    module = "" if said is True and not path else module
    return _is_own((path or file)[:PATH_CHARACTERS], module[:NAME_CHARACTERS], platform[:NAME_CHARACTERS])


@lru_cache(_PLACES)
def _is_own(path: str, module: str, platform: str) -> bool:
    return _SYSTEM.match(path) is None and is_own_code(path, module, platform)
