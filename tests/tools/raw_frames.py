"""AMQP frames byte by byte, as a client library writes them that checks nothing."""

import struct
from collections.abc import Mapping
from functools import cache

from aiormq import Channel
from aiormq.abc import AbstractChannel, ChannelFrame
from pamqp.commands import Basic

NANOSECONDS = struct.pack(">Q", 1_800_000_000_000_000_000)
"""A time of 2027 in nanoseconds, where AMQP wants seconds."""


def short(text: bytes) -> bytes:
    """A short string, of any bytes."""
    return bytes([len(text)]) + text


def long(text: bytes) -> bytes:
    """A long string, or what is preceded by its length as one is."""
    return struct.pack(">I", len(text)) + text


def table(*entries: tuple[bytes, bytes]) -> bytes:
    """A table of names and values, each value with its type's letter before it."""
    return long(b"".join(short(name) + value for name, value in entries))


@cache
def nested(depth: int) -> bytes:
    """An array in an array, so many times."""
    value = b"V"
    for _ in range(depth):
        value = b"A" + long(value)
    return value


def header(body_size: int, properties: Mapping[str, bytes]) -> bytes:
    """The payload of a content header."""
    names = [name for name in Basic.Properties.attributes() if name in properties]
    flags = sum(Basic.Properties.flags[name] for name in names)
    values = b"".join(properties[name] for name in names)
    return struct.pack(">HHQH", Basic.frame_id, 0, body_size, flags) + values


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """A frame around a payload: 1 is a method, 2 a content header, 3 a body."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


async def publish_raw(
    channel: AbstractChannel, body: bytes, *, exchange: bytes, key: bytes, properties: Mapping[str, bytes]
) -> None:
    """Publish a message without confirm; its key and properties may be anything."""
    method = struct.pack(">HHH", 60, 40, 0) + short(exchange) + short(key) + b"\0"
    payload = b"".join(
        frame(kind, channel.number, part)
        for kind, part in ((1, method), (2, header(len(body), properties)), (3, body))
    )
    assert isinstance(channel, Channel)
    await channel.write_queue.put(ChannelFrame(payload=payload, should_close=False))
