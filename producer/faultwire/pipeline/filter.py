"""Errors that become no event, by the service's own wish: those of some kinds, and a share of the rest."""

import random
from collections.abc import Callable, Iterable

from faultwire.audit.loss import LossReason
from faultwire.capture.chain import is_group
from faultwire.capture.ending import all_in
from faultwire_shared.foreign.known_type import ancestors_of, module_of, name_of, qualname_of
from faultwire_shared.memo import Memo


class Filter:
    """Judges errors before they are captured; what it refuses is answered and counted all the same.

    Args:
        ignore_errors: classes (their subclasses follow), or names of classes, qualified or bare. A group is
            ignored if all of its members are.
        sample_rate: the share of the others that becomes events, 0 to 1.
        draw: a number from 0 up to 1.

    Raises:
        ValueError: ``sample_rate`` is not between 0 and 1.
        TypeError: something in ``ignore_errors`` is neither a class of exceptions nor a name.
    """

    def __init__(
        self,
        ignore_errors: Iterable[type[BaseException] | str] = (),
        sample_rate: float = 1.0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        if isinstance(ignore_errors, str):
            raise TypeError(f"ignore_errors must be a list, as [{ignore_errors!r}]")
        self._ignored = frozenset(map(_checked, ignore_errors))
        self._sample_rate = _share(sample_rate)
        self._draw = draw
        self._known: Memo[type[object], bool] = Memo()

    def without_sampling(self) -> "Filter":
        """The same kinds ignored, and all of the rest taken."""
        return Filter(self._ignored)

    def refuses(self, error: object) -> LossReason | None:
        """The reason why the error becomes no event; None when it does."""
        if self._ignored and self._is_ignored(error):
            return LossReason.IGNORED
        if self._sample_rate < 1.0 and self._draw() >= self._sample_rate:
            return LossReason.NOT_SAMPLED
        return None

    def _is_ignored(self, error: object) -> bool:
        if self._is_ignored_kind(type(error)):
            return True
        return is_group(error) and all_in(error, lambda member: self._is_ignored_kind(type(member)))

    def _is_ignored_kind(self, kind: type[object]) -> bool:
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = any(
                not self._ignored.isdisjoint((base, name_of(base), f"{module_of(base)}.{qualname_of(base)}"))
                for base in ancestors_of(kind)
            )
        return known


def _share(given: object) -> float:
    if isinstance(given, int | float) and 0.0 <= given <= 1.0:
        return given
    raise ValueError(f"sample_rate must be from 0 to 1, not {given!r}")


def _checked(entry: type[BaseException] | str) -> type[BaseException] | str:
    if isinstance(entry, str):
        return entry
    given: object = entry
    if isinstance(given, type) and issubclass(given, BaseException):
        return given
    raise TypeError(f"ignore_errors takes classes of exceptions and their names, not {entry!r}")
