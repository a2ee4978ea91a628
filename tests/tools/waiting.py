"""Waiting for a condition, with a bound that only a fault reaches."""

import asyncio
from collections.abc import Awaitable, Callable

SECONDS = 60.0


async def until(condition: Callable[[], Awaitable[bool]], what: str, *, seconds: float = SECONDS) -> None:
    """Return once the condition holds; fail the test if it does not within the bound."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.02)


async def until_reached(
    goal: int, count: Callable[[], Awaitable[int]], what: str, *, seconds: float = SECONDS
) -> None:
    """Return once the count is at the goal; the bound is for each step, as a slow machine is no fault."""
    reached, loop = await count(), asyncio.get_running_loop()
    while reached < goal:
        deadline, before = loop.time() + seconds, reached
        while (reached := await count()) == before:
            if loop.time() > deadline:
                raise AssertionError(f"no step within {seconds:g} s, at {reached} of {goal}: {what}")
            await asyncio.sleep(0.02)
