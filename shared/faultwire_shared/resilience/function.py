"""Checks of the functions that the decorators are applied to."""

import inspect
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")


def name_of(function: Callable[..., object]) -> str:
    """Return the qualified name, or that of the callable's class."""
    return getattr(function, "__qualname__", type(function).__qualname__)


def refuse_generator(function: Callable[..., object]) -> None:
    """Raise `TypeError` for a generator, whose body runs outside the decorator."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{name_of(function)} is a generator: decorate what it calls instead")


def finished(result: R, function: Callable[..., R]) -> R:
    """Return the result of a plain function, unless it is a coroutine, whose errors come later, uncaught.

    Raises:
        TypeError: it is a coroutine.
    """
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError(f"{name_of(function)} returns a coroutine: make it `async def` to have it awaited")
    return result
