"""Checks of the functions that the decorators are applied to."""

import inspect
from collections.abc import Callable


def name_of(function: Callable[..., object]) -> str:
    """Return the qualified name, or that of the callable's class."""
    return getattr(function, "__qualname__", type(function).__qualname__)


def refuse_generator(function: Callable[..., object]) -> None:
    """Raise `TypeError` for a generator, whose body runs outside the decorator."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{name_of(function)} is a generator: decorate what it calls instead")


def is_to_be_awaited(result: object) -> bool:
    """Return True for a coroutine, and for anything else whose outcome only shows when it is awaited.

    What is a context manager or an iterator besides has its work done by those.
    """
    kind = type(result)
    return hasattr(kind, "__await__") and not hasattr(kind, "__aenter__") and not hasattr(kind, "__aiter__")


def is_future(result: object) -> bool:
    """Return True for what goes on by itself, no matter who awaits it, as a task does."""
    return hasattr(type(result), "add_done_callback")
