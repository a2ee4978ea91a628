"""What a call to the broker ends with, whatever the library makes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from aio_pika.exceptions import ChannelInvalidStateError

from faultwire_shared.amqp import (
    BrokerRefusedError,
    BrokerUnreachableError,
    TopologyError,
    broker_call,
    connect,
)


async def dropped() -> None:
    """As a channel that closes may take it."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def told_as_an_error() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ChannelInvalidStateError("closed") from None


async def passed_on() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("call", [dropped, told_as_an_error, passed_on])
@pytest.mark.parametrize("seconds", [None, 60])
async def test_a_cancelled_task_ends_whatever_the_library_made_of_the_cancellation(
    call: Callable[[], Awaitable[None]], seconds: float | None
) -> None:
    begun = asyncio.Event()

    async def run() -> None:
        async with broker_call("close", seconds):
            begun.set()
            await call()

    task = asyncio.create_task(run())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_the_librarys_own_cancellation_is_an_error_of_the_broker() -> None:
    with pytest.raises(BrokerUnreachableError, match="publish: the connection is stuck"):
        async with broker_call("publish", 60):
            raise asyncio.CancelledError


async def test_the_time_that_is_up_is_an_error_of_the_broker() -> None:
    with pytest.raises(BrokerUnreachableError, match=r"publish: no answer within 0\.01 s"):
        async with broker_call("publish", 0.01):
            await passed_on()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Exception(), r"the connection broke \(Exception\)"),
        (StopAsyncIteration(), r"the connection broke \(StopAsyncIteration\)"),
        (KeyError("capabilities"), "KeyError: 'capabilities'"),
        (ValueError("Server doesn't support publisher_confirms"), "publisher_confirms"),
        (ExceptionGroup("several", [OSError("reset")]), "several"),
        (AttributeError("reader"), "reader"),
    ],
)
async def test_whatever_the_library_raises_is_an_error_of_the_broker(error: Exception, says: str) -> None:
    with pytest.raises(BrokerUnreachableError, match=f"^connect: .*{says}"):
        async with broker_call("connect", 60):
            raise error


async def test_what_was_told_already_is_told_as_it_was() -> None:
    told = TopologyError("the queue is missing")
    with pytest.raises(TopologyError) as raised:
        async with broker_call("connect", 60):
            raise told
    assert raised.value is told


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_what_ends_a_process_is_no_error_of_the_broker(error: type[BaseException]) -> None:
    with pytest.raises(error):
        async with broker_call("connect", 60):
            raise error


async def test_a_call_on_the_way_out_of_a_cancelled_task_ends_as_any_other() -> None:
    begun = asyncio.Event()
    ended = []

    async def run() -> None:
        try:
            begun.set()
            await passed_on()
        finally:
            async with broker_call("close", 60):
                ended.append("well")
            with suppress(BrokerUnreachableError):
                async with broker_call("close", 60):
                    raise ChannelInvalidStateError("closed")
            ended.append("told")

    task = asyncio.create_task(run())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert ended == ["well", "told"]


@pytest.mark.parametrize("password", ["pa#ss", "12#34", "pa/ss", "pa?ss"])
async def test_an_address_whose_password_wants_escapes_is_refused_without_it(password: str) -> None:
    with pytest.raises(BrokerRefusedError, match=r"# is %23") as told:
        await connect(f"amqp://ada:{password}@127.0.0.1:9/", "test")
    assert str(told.value).startswith("connect to amqp://ada:***")
    assert password not in str(told.value)
