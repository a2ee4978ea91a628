"""Values and exceptions as the worst of hosts has them.

They are built from a ``Random`` that Hypothesis draws for, and not by its strategies, which print what they
combine: most of this cannot be printed.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any, Final


class Loud(Exception):  # noqa: N818 - it is what hostile methods raise
    """What a hostile method raises; its own text is no better."""

    def __str__(self) -> str:
        raise ValueError("loud")


class Deadline(BaseException):
    """A library's own way to end what runs."""


def _raise(*_: object, **__: object) -> Any:
    raise Loud


def _exit(*_: object, **__: object) -> Any:
    raise SystemExit(3)


def _interrupt(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


def _end(*_: object, **__: object) -> Any:
    raise Deadline


RAISES: Final = (_raise, _raise, _exit, _interrupt, _end)
"""What hostile methods do."""
METHODS: Final = (
    "__repr__",
    "__str__",
    "__eq__",
    "__hash__",
    "__bool__",
    "__len__",
    "__iter__",
    "__contains__",
    "__getitem__",
    "__format__",
    "__index__",
    "__int__",
    "__float__",
    "__reduce_ex__",
    "__getattribute__",
    "__sizeof__",
    "__dir__",
)
PROPERTIES: Final = (
    "__class__",
    "__dict__",
    "__module__",
    "__notes__",
    "__cause__",
    "__context__",
    "__suppress_context__",
    "__traceback__",
    "args",
    "code",
    "details",
    "errno",
    "exceptions",
    "status",
    "severity",
    "response",
    "retry_after_seconds",
)
KINDS: Final[tuple[type, ...]] = (object, dict, list, tuple, set, str, int, float, bytes)
ERRORS: Final[tuple[type[Exception], ...]] = (Exception, ValueError, KeyError, OSError, ConnectionError)


def hostile_class(
    kind: type, methods: frozenset[str], properties: frozenset[str], fail: Callable[..., Any] = _raise
) -> type:
    """A subclass whose methods and properties raise."""
    namespace: dict[str, Any] = dict.fromkeys(methods, fail)
    namespace |= {name: property(fail) for name in properties}
    return type("Hostile", (kind,), namespace)


class HostileMeta(type):
    """A metaclass for which not even a class's name can be had."""

    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__qualname__", "__module__", "__mro__"):
            raise Loud
        return super().__getattribute__(name)

    def __instancecheck__(cls, instance: object) -> bool:
        raise Loud


class NamelessError(Exception, metaclass=HostileMeta):
    """Of that metaclass."""


class SlottedError(Exception):
    """Nothing can be hung on it, nor is there a dict that it would show."""

    __slots__ = ("extra",)
    __dict__ = property(_raise)


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    """Refuses to be written to, so that even raising it fails where something sets its traceback."""

    value: Any


class LyingError(Exception):
    """Every attribute that one asks for is there, and is itself."""

    def __getattr__(self, name: str) -> "LyingError":
        return self


class Endless(Mapping[str, object]):
    """A mapping without an end."""

    def __getitem__(self, key: str) -> object:
        return self

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            yield str(number)
            number += 1

    def __len__(self) -> int:
        return 2**40


def cyclic() -> dict[str, Any]:
    found: dict[str, Any] = {"list": []}
    found["list"].append(found)
    found["self"] = found
    return found


def deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


class HostileHost:
    """Makes one thing after the other that no service should hand over."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def text(self) -> str:
        make = self._random.choice(TEXTS)
        return make()

    def value(self, depth: int = 3) -> Any:
        """Anything, up to so many containers deep; some reach deeper by themselves."""
        if depth and self._random.random() < 0.4:
            return self._container(depth)
        make = self._random.choice([*SINGLE, self.text, self._hostile])
        return make()

    def error(self) -> Any:
        """An exception, mostly."""
        chance = self._random.random()
        if chance < 0.1:
            return self.value()
        error = self._single()
        if chance < 0.4:
            return _raised(error, self._random.choice([0, 3, 300]))
        if chance < 0.6:
            return _looped(error, self._single())
        return _grouped(error, self._random.choice([1, 50])) if chance < 0.75 else error

    def _container(self, depth: int) -> Any:
        items = [self.value(depth - 1) for _ in range(self._random.randrange(4))]
        names = [self._random.choice([self.text(), 17, None, (1, 2)]) for _ in items]
        return self._random.choice([items, tuple(items), iter(items), dict(zip(names, items, strict=True))])

    def _hostile(self) -> Any:
        kind = self._random.choice(KINDS)
        return _made(
            hostile_class(kind, self._some(METHODS), self._some(PROPERTIES), self._random.choice(RAISES))
        )

    def _single(self) -> BaseException:
        kind = self._random.choice([NamelessError, SlottedError, FrozenError, LyingError, *ERRORS])
        if self._random.random() < 0.4:
            kind = hostile_class(
                self._random.choice(ERRORS),
                self._some(METHODS),
                self._some(PROPERTIES),
                self._random.choice(RAISES),
            )
        arguments = [self.value(2) for _ in range(self._random.randrange(4))]
        return _error(kind, arguments, {name: self.value(2) for name in self._some(ATTRIBUTES)})

    def _some(self, names: Sequence[str]) -> frozenset[str]:
        return frozenset(self._random.choice(names) for _ in range(self._random.randrange(5)))


def _made(kind: type) -> object:
    try:
        return kind()
    except BaseException:  # noqa: BLE001 - some cannot even be made
        return kind


def _error(
    kind: Callable[..., BaseException], arguments: list[Any], attributes: dict[str, Any]
) -> BaseException:
    try:
        error = kind(*arguments)
    except BaseException:  # noqa: BLE001 - as above
        error = LyingError(*arguments)
    for name, value in attributes.items():
        with suppress(BaseException):  # frozen, slotted, or of another type than asked for
            setattr(error, name, value)
    return error


def _raised(error: BaseException, depth: int) -> BaseException:
    try:
        _fall(error, depth)
    except BaseException as caught:  # noqa: BLE001 - whatever comes of raising it is what is handed over
        return caught
    return error


def _fall(error: BaseException, depth: int) -> None:
    if depth:
        _fall(error, depth - 1)
    raise error


def _looped(error: BaseException, other: BaseException) -> BaseException:
    for one, cause in ((error, other), (other, error)):
        with suppress(BaseException):  # a property of the hostile class
            one.__cause__ = cause
    return error


def _grouped(error: BaseException, depth: int) -> BaseException:
    for _ in range(depth):
        error = BaseExceptionGroup("group", [error, ValueError("beside"), *([KeyError("more")] * 3)])
    return error


GIANT: Final = "x" * 200_000
WIDE: Final = "\U0001f600" * 30_000
BYTES: Final = b"\xff" * 100_000
HUGE: Final = 10**5000
MANY: Final = {str(number): "y" * 2000 for number in range(200)}
TEXTS: Final[Sequence[Callable[[], str]]] = (
    str,
    lambda: "order 17",
    lambda: "\x00",
    lambda: "\ud800\udfff",
    lambda: GIANT,
    lambda: WIDE,
    lambda: "\r\n\x1b[31m",
)
SINGLE: Final[Sequence[Callable[[], Any]]] = (
    lambda: None,
    lambda: True,
    lambda: float("nan"),
    lambda: -math.inf,
    lambda: HUGE,
    lambda: -(10**400),
    lambda: 2**63,
    lambda: 1j,
    lambda: BYTES,
    lambda: object,
    lambda: _raise,
    lambda: range(10**12),
    lambda: MANY,
    cyclic,
    Endless,
    lambda: deep(6),
    lambda: deep(5_000),
    lambda: NamelessError,
    lambda: LyingError("here"),
)
ATTRIBUTES: Final = ("__notes__", "code", "status", "severity", "details", "errno", "response", "category")
