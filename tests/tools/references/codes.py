"""The references of codes: of errors in answers, of dead letters, of what `doctor` finds."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Final

from tests.tools.references.table import cell

import faultwire
import faultwire_consumer
import faultwire_shared
from faultwire_consumer.domain.dead_letter_cure import cure_of
from faultwire_consumer.domain.outcome import AccessReason, BrokerReason, StoreReason, WorkerReason
from faultwire_shared.codec import UndecodableReason
from faultwire_shared.taxonomy import CategorizedError

_PACKAGES: Final = (faultwire, faultwire_consumer, faultwire_shared)
_REASONS: Final = (UndecodableReason, StoreReason, WorkerReason, AccessReason, BrokerReason)
_NO_PART: Final = (
    "faultwire_consumer.demo",  # its shop has codes of its own
    "faultwire_consumer.store.migrations",  # wants a database
    "faultwire.integrations",  # want their hosts, and have no codes
    "faultwire.pytest_plugin",
)


def error_table() -> str:
    """Every code that an answer may have, with its status."""
    told: dict[str, str] = {}
    # A code is told by the class that defines it; those that inherit it say more about themselves.
    for error in sorted(_errors(CategorizedError), key=lambda one: ("code" not in vars(one), one.__name__)):
        told.setdefault(error.code, f"| `{error.code}` | {_status(error)} | {_told(error)} |")
    return "\n".join(["| code | status | means |", "|---|---|---|", *(told[code] for code in sorted(told))])


def dead_letter_table() -> str:
    """Every reason for which a message becomes a dead letter, and what mends it."""
    rows = [f"| `{reason.value}` | {cell(cure_of(reason.value))} |" for kind in _REASONS for reason in kind]
    return "\n".join(["| reason | do |", "|---|---|", *rows])


def _status(error: type[CategorizedError]) -> str:
    return str(error.status)  # its phrase is another one in each Python


def _told(error: type[CategorizedError]) -> str:
    return cell((error.__doc__ or "").strip().partition("\n\n")[0])


def _errors(base: type[CategorizedError]) -> Iterator[type[CategorizedError]]:
    _load_all()
    return _below(base)


def _below(base: type[CategorizedError]) -> Iterator[type[CategorizedError]]:
    for error in base.__subclasses__():
        # A test's own are no part of what we say.
        if error.__module__.startswith("faultwire") and not error.__module__.startswith(_NO_PART):
            yield error
            yield from _below(error)


def _load_all() -> None:
    for package in _PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(_NO_PART) and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
