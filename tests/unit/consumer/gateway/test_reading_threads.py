"""Where a body is read: a large one beside the loop, which goes on meanwhile."""

import asyncio
import threading

import pytest

from faultwire_consumer.gateway.door.reading_thread import LARGE_BYTES, ReadingThreads


async def test_the_loop_goes_on_while_a_large_body_is_read() -> None:
    may_end = threading.Event()
    reading = asyncio.create_task(ReadingThreads().read(LARGE_BYTES, may_end.wait, 60.0))
    await asyncio.sleep(0)
    may_end.set()  # nobody would, if the reading held the loop
    assert await reading is True


async def test_a_small_body_is_read_at_once_by_whoever_asks() -> None:
    here = await ReadingThreads().read(LARGE_BYTES - 1, threading.get_ident)
    assert here == threading.get_ident()


@pytest.mark.parametrize("size", [0, LARGE_BYTES])
async def test_a_reader_s_error_is_raised_wherever_it_reads(size: int) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await ReadingThreads().read(size, int, "x")
