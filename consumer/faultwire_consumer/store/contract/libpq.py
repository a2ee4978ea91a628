"""The words that libpq, its drivers and hosting companies put behind the ``?`` of a PostgreSQL address.

Each is taken, has no meaning here and may stay, or is refused by its name: nothing that somebody wrote to
be safe is passed over in silence.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from faultwire_consumer.domain.suggestion import suggest

TLS: Final = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)
LOGIN: Final = ("user", "password", "dbname")
PLACE: Final = ("host", "port", "hostaddr")
"""Words that say once more what stands in front of the ``?``."""
_TAKEN: Final = (
    *TLS,
    *LOGIN,
    *PLACE,
    *("connect_timeout", "application_name", "options"),
    *("target_session_attrs", "passfile", "krbsrvname", "gsslib"),
)
_RENAMED: Final = {"ssl": "sslmode", "fallback_application_name": "application_name"}
_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TARGETS: Final = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")
_ALLOWED: Final[Mapping[str, Sequence[str]]] = {
    "sslmode": _MODES,
    "target_session_attrs": _TARGETS,
    "sslnegotiation": ("postgres", "direct"),
}
_SWITCHES: Final = {"true": "require", "1": "require", "on": "require", "false": "disable", "0": "disable"}

_HARMLESS: Final[Mapping[str, tuple[tuple[str, ...] | None, str]]] = {
    # What may stand there (None: anything), and why nothing else can be done.
    "channel_binding": (("disable", "prefer"), "faultwire's driver has no channel binding"),
    "gssencmode": (("disable", "prefer"), "faultwire's driver encrypts by TLS alone"),
    "client_encoding": (("utf8", "utf-8", "unicode", "auto"), "faultwire speaks UTF-8"),
    "schema": (("faultwire",), "faultwire keeps to a schema of its own, faultwire"),
    "load_balance_hosts": (("disable",), "hosts are tried in their order"),
    "sslcompression": (("0",), "no driver compresses TLS any more"),
    "sslsni": (("1",), "the name is always told"),
    "pgbouncer": (None, ""),
    "statement_cache_size": (None, ""),
    "prepared_statement_cache_size": (None, ""),
    # A connection that hangs is noticed by the bound of each answer.
    "keepalives": (None, ""),
    "keepalives_idle": (None, ""),
    "keepalives_interval": (None, ""),
    "keepalives_count": (None, ""),
    "tcp_user_timeout": (None, ""),
}


class WordError(ValueError):
    """A word of the address cannot be used; the text names it and says why."""


def read_words(query: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """Return the words that mean something here, each checked.

    Raises:
        WordError: one is unknown, or asks for what cannot be done.
    """
    words: dict[str, str] = {}
    for written, value in query.items():
        if not isinstance(value, str):
            raise WordError(f"{written} stands there more than once")
        name = _RENAMED.get(written, written)
        if name in _HARMLESS:
            _check_harmless(name, value)
        elif name in _TAKEN:
            if value and not (written in _RENAMED and name in query):
                words[name] = _checked(name, _SWITCHES.get(value, value) if written == "ssl" else value)
        else:
            raise WordError(f"{written!r} is no word that faultwire knows there; {suggest(name, _KNOWN)}")
    return words


_KNOWN: Final = (*_TAKEN, *_HARMLESS)


def _check_harmless(name: str, value: str) -> None:
    allowed, why = _HARMLESS[name]
    if allowed is not None and value.lower() not in allowed:
        raise WordError(f"{name} cannot be {value[:40]!r}: {why}; write {allowed[0]}, or leave it out")


def _checked(name: str, value: str) -> str:
    allowed = _ALLOWED.get(name)
    if allowed is not None and value not in allowed:
        raise WordError(f"{name} cannot be {value[:40]!r}; {suggest(value, allowed)}")
    if name == "connect_timeout" and not re.fullmatch(r"-?\d{1,6}", value):
        raise WordError(f"connect_timeout cannot be {value[:40]!r}; write whole seconds")
    return value
