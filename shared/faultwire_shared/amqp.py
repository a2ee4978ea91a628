"""Connections to the broker: the only module that opens them and translates the broker's errors."""

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import (
    AuthenticationError,
    ChannelNotFoundEntity,
    ProbableAuthenticationError,
)
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelPreconditionFailed,
    ConnectionNotAllowed,
    InvalidFrameError,
)

from faultwire_shared.broker_url import split_addresses
from faultwire_shared.failure import ConfigurationError, UnavailableError
from faultwire_shared.redact import redact_url
from faultwire_shared.tls.context import TlsFileError, make_context
from faultwire_shared.tls.files import Secured, secured_of
from faultwire_shared.tls.refusal import why_refused
from faultwire_shared.topology import TOPOLOGY, Topology

CONNECT_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 3.0
HEARTBEAT_SECONDS: Final = 10


class BrokerError(Exception):
    """The broker cannot do what was asked; the text says what is wrong and how to fix it."""


class BrokerUnreachableError(BrokerError, UnavailableError):
    """There is no connection, or it was lost or hangs; trying again later may help."""


class BrokerRefusedError(BrokerError, ConfigurationError):
    """Wrong credentials, an unknown vhost or a missing right: somebody must change something."""


class TopologyError(BrokerError, ConfigurationError):
    """An exchange or queue is missing, or exists with other arguments."""


@asynccontextmanager
async def broker_call(what: str, seconds: float | None) -> AsyncIterator[None]:
    """Put a timeout on calls to the broker (None: until the connection ends) and translate their errors.

    Whatever a call raises is an error of the broker, known or not: where the other side hangs up in the wrong
    moment, aiormq raises a bare ``Exception`` or ``StopAsyncIteration``; where it leaves out what a broker
    says, ``KeyError``. None of that may end a supervisor, which only connects again.

    aiormq rejects calls that wait on a stuck connection with ``CancelledError``, which a task group
    would take for its own: it is converted if this task is not being cancelled. And a call that is
    cancelled while its channel closes may end with the channel's error, or even succeed: a task that went
    on from there would never end, so its cancellation takes precedence over the call's result.

    Raises:
        BrokerError: the subclass says whether trying again may help.
    """
    cancelled_before = _times_cancelled()
    try:
        async with asyncio.timeout(seconds):
            yield
    except BaseException as error:
        if _times_cancelled() > cancelled_before:
            raise asyncio.CancelledError from error
        ours = _translated(error, what, seconds)
        if ours is None:
            raise
        raise ours from None
    if _times_cancelled() > cancelled_before:
        raise asyncio.CancelledError


def _times_cancelled() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _translated(error: BaseException, what: str, seconds: float | None) -> BrokerError | None:
    kind: type[BrokerError] = BrokerUnreachableError
    match error:
        case asyncio.CancelledError() if not _times_cancelled():
            text = "the connection is stuck"
        case TimeoutError():
            text = f"no answer within {seconds:g} s" if seconds else "no answer"
        case AuthenticationError() | ProbableAuthenticationError():
            kind, text = BrokerRefusedError, "wrong user name or password"
        case ChannelAccessRefused() | ConnectionNotAllowed():
            kind, text = BrokerRefusedError, _first_line(error)
        case InvalidFrameError() if farewell := _farewell_in(error):
            passes = any(word in farewell for word in _PASSING)
            kind, text = BrokerUnreachableError if passes else BrokerRefusedError, farewell
        case ChannelNotFoundEntity():
            kind, text = TopologyError, f"{_first_line(error)}; run `faultwire topology apply`"
        case ChannelPreconditionFailed():
            text = f"{_first_line(error)}; delete it, then run `faultwire topology apply`"
            kind = TopologyError
        case BrokerError():
            return None
        case Exception():
            text = why_refused(error, "broker_ca_file") or _first_line(error)
        case _:
            return None
    return kind(f"{what}: {text}")


_PASSING: Final = (" is down", " limit ")


def _farewell_in(error: BaseException) -> str:
    """Return the broker's words where it closed the connection instead of opening the virtual host.

    aiormq has them at hand, and puts nothing but the frame's address in memory into its error.
    """
    step = error.__traceback__
    while step is not None:
        said = getattr(step.tb_frame.f_locals.get("frame"), "reply_text", None)
        if isinstance(said, str) and said:
            return said
        step = step.tb_next
    return ""


def _first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0][:200]
    if isinstance(error, LookupError | ValueError):  # a key says nothing without its error
        return f"{type(error).__name__}: {text}"
    return text or f"the connection broke ({type(error).__name__})"


_is_ours: Final[ContextVar[bool]] = ContextVar("faultwire_connection", default=False)


class _OthersOnly(logging.Filter):
    """Passes only aiormq's log records about connections that are not ours."""

    def filter(self, _: logging.LogRecord) -> bool:
        return not _is_ours.get()


_others_only: Final = _OthersOnly()


@contextmanager
def _silencing_aiormq() -> Iterator[None]:
    """Keep aiormq from logging about the connection that is opened in here, from its start to its end.

    It logs an error for each failed attempt while the broker is away, and this may be a host's log.
    Our supervisors log a loss once. The tasks that read and write the connection inherit the mark;
    a connection that the host opens has none.
    """
    logging.getLogger("aiormq.connection").addFilter(_others_only)
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)


class _Connection(aio_pika.Connection):
    """A connection that only the code that opened it closes."""

    def __del__(self) -> None:
        # aio-pika's would create the coroutine of `close` in the thread in which the collector runs: without
        # a loop nothing awaits it, and Python warns about that on the host's standard error.
        pass


Connection = AbstractConnection
"""The result of `connect`; code that only passes it on needs no import of aio-pika."""


def in_random_order(addresses: Sequence[str]) -> Sequence[str]:
    """Shuffle the addresses, so that a cluster's nodes share the connections, also those of a dead node."""
    return random.sample(addresses, len(addresses))


async def connect(
    url: str, name: str, *, order: Callable[[Sequence[str]], Sequence[str]] = in_random_order
) -> AbstractConnection:
    """Open a connection that shows as ``name`` at the broker, to one of the nodes that the URL names.

    It is a plain connection, not aio-pika's robust one: each supervisor here rebuilds its own state
    for every connection, with jitter, and keys all of it by that connection.

    Args:
        url: one address, or a cluster's (`split_addresses`).
        name: for the broker's list of connections.
        order: in which the nodes are tried, each once: waiting before the next round is up to the caller.

    Raises:
        BrokerError: no node accepts the connection; the subclass says whether trying again may help.
    """
    failures = []
    for address in order(split_addresses(url)):
        try:
            return await _connect_to(address, name)
        except BrokerError as error:
            failures.append(error)
    raise failures[0] if len(failures) == 1 else _none_of(failures)


def _none_of(failures: Sequence[BrokerError]) -> BrokerError:
    """Build the error for a whole cluster; a node that refuses says what somebody has to change."""
    refused = any(isinstance(error, BrokerRefusedError) for error in failures)
    kind = BrokerRefusedError if refused else BrokerUnreachableError
    return kind(f"none of {len(failures)} nodes: {'; '.join(str(error) for error in failures)}")


def _read_address(url: str) -> Secured:
    """Read an address; where a password needs escapes, its rest would be a host or a port.

    Raises:
        BrokerRefusedError: it cannot be read, or has a word behind its ``?`` that nobody here knows.
    """
    try:
        is_readable = "#" not in url and urlsplit(url).port != 0
    except ValueError:
        is_readable = False
    if not is_readable:
        why = "it cannot be read; in a password / is written %2F, ? is %3F and # is %23"
        raise BrokerRefusedError(f"connect to {redact_url(url)}: {why}")
    try:
        return secured_of(url)
    except ValueError as error:
        raise BrokerRefusedError(f"connect to {redact_url(url)}: {error}") from None


async def _context_of(secured: Secured, shown: str) -> ssl.SSLContext | None:
    """Read the files of TLS anew for each connection: certificates are renewed while a process lives.

    Raises:
        BrokerRefusedError: one cannot be used.
    """
    if not secured.address.startswith("amqps:"):
        return None
    try:
        return await asyncio.to_thread(make_context, secured.files, verifies=secured.verifies)
    except TlsFileError as error:
        raise BrokerRefusedError(f"connect to {shown}: {error}") from None


async def _connect_to(url: str, name: str) -> AbstractConnection:
    secured, shown = _read_address(url), redact_url(url)
    context = await _context_of(secured, shown)
    async with broker_call(f"connect to {shown}", CONNECT_SECONDS + 1):
        with _silencing_aiormq():
            return await aio_pika.connect(
                secured.address,
                ssl_context=context,
                timeout=CONNECT_SECONDS,
                connection_class=_Connection,
                heartbeat=HEARTBEAT_SECONDS,
                client_properties={"connection_name": name},
            )


async def close(connection: AbstractConnection | AbstractChannel) -> None:
    """Close within three seconds, regardless of the state of the broker."""
    try:
        async with broker_call("close", CLOSE_SECONDS):
            await connection.close()
    except BrokerError:
        return


async def declare(connection: AbstractConnection, topology: Topology = TOPOLOGY) -> None:
    """Declare the whole topology; what exists already stays as it is.

    Raises:
        BrokerRefusedError: the user may not declare.
        TopologyError: something exists with other arguments.
    """
    async with broker_call("declare the topology", 30):
        channel = await connection.channel()
        for exchange in topology.exchanges:
            await channel.declare_exchange(
                exchange.name,
                aio_pika.ExchangeType(exchange.type),
                durable=True,
                internal=exchange.internal,
                arguments=dict(exchange.arguments) or None,
            )
        for queue in topology.queues:
            await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
        for binding in topology.bindings:
            queue_object = await channel.get_queue(binding.queue, ensure=False)
            await queue_object.bind(binding.exchange, binding.key)
        await channel.close()


async def check(
    connection: AbstractConnection, *, exchanges: tuple[str, ...] = (), queues: tuple[str, ...] = ()
) -> None:
    """Make sure that what a role uses exists, without declaring anything.

    Raises:
        TopologyError: something is missing; the text names the command for the administrator.
        BrokerUnreachableError: the connection broke, or an answer did not come within 10 s.
    """
    # A timeout for each answer, not for all: on a line with seconds of delay they add up.
    step = partial(broker_call, "check the topology", 10)
    async with step():
        channel = await connection.channel()
    for name in exchanges:
        async with step():
            await channel.get_exchange(name, ensure=True)
    for name in queues:
        async with step():
            await channel.get_queue(name, ensure=True)
    async with step():
        await channel.close()


async def compare(connection: AbstractConnection, topology: Topology = TOPOLOGY) -> None:
    """Make sure that queues which exist have the topology's arguments; nothing is made or changed.

    A queue is declared as it stands, which a user without the right to configure may not ask: then nothing
    can be said. `check` says before whether all exist.

    Raises:
        TopologyError: one has other arguments.
        BrokerUnreachableError: the connection broke, or an answer did not come within 10 s.
    """
    for queue in topology.queues:
        try:
            async with broker_call("compare the queues", 10):
                channel = await connection.channel()
                await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
                await channel.close()
        except BrokerRefusedError:
            return
