"""Sends by mail: over TLS unless told otherwise, to all recipients of a receiver at once."""

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, cast

from aiosmtplib import SMTP, SMTPException, SMTPRecipientRefused
from msgspec import Struct

from faultwire_consumer.domain.policy.receiver.email import Security
from faultwire_consumer.notify.frames import FRAMES_SHOWN
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, Sent
from faultwire_consumer.notify.senders.address import Network, may_connect
from faultwire_consumer.notify.senders.mail_answer import (
    NoSignInError,
    NotSafeError,
    WayRefusedError,
    judge_error,
    judge_recipients,
)
from faultwire_consumer.notify.wording.mail import Envelope, mail_of
from faultwire_shared.clock import Clock

SEND_SECONDS: Final = 10.0
"""Limit of one attempt, from the name's look-up to the server's word that it has the mail."""
CONNECT_SECONDS: Final = 4.0
"""Limit of a connection to one of a server's addresses, so that a dead one leaves time for the next."""
LEAVE_SECONDS: Final = 1.0
CONNECTIONS: Final = 2
"""Connections to a server at once: many allow few for each address."""
PARTLY_KEPT: Final = 1_000


class MailServer(Struct, frozen=True, kw_only=True):
    """The server that mails go through, and the way to it."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = None
    allow_unencrypted: bool = False
    """Mail may go to a public address without TLS."""


class EmailSender:
    """Sends notifications to some mailboxes, each over a connection of its own.

    Args:
        name: its name in rules and history.
        server: takes the mails.
        envelope: who they are from and to; none of these addresses is ever shown.
        clock: the time in UTC, for the mails' dates.
        allowed_networks: inside networks to which connections are allowed.
        tls: which certificates are trusted; the system's unless given.
        send_seconds: limit of one attempt.
    """

    frames_shown: Final = FRAMES_SHOWN

    def __init__(
        self,
        name: str,
        server: MailServer,
        envelope: Envelope,
        *,
        clock: Clock,
        allowed_networks: Sequence[Network] = (),
        tls: ssl.SSLContext | None = None,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self.name = name
        self._server = server
        self._envelope = envelope
        self._clock = clock
        self._allowed = tuple(allowed_networks)
        if tls is None and server.security is not Security.NONE:
            tls = ssl.create_default_context()
        self._tls = tls
        self._send_seconds = send_seconds
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._has_it: OrderedDict[str, frozenset[str]] = OrderedDict()
        """Of mails that not all recipients have yet, who has them, by the notification's key."""

    async def send(self, notification: Notification) -> Outcome:
        """Send once, to those recipients who do not have it from an attempt before."""
        try:
            async with asyncio.timeout(self._send_seconds) as limit:
                mail = await asyncio.to_thread(mail_of, notification, self._envelope, now=self._clock())
                async with self._turns, self._connected() as client:
                    outcome = await self._hand_over(client, notification.idempotency_key, mail)
                    if not limit.expired():
                        limit.reschedule(None)  # what the server has is sent, however long goodbyes take
                return outcome
        except (SMTPException, OSError, ValueError) as error:
            return judge_error(error, self._shown)

    async def aclose(self) -> None:
        """Do nothing: a connection ends with its mail."""

    @property
    def _shown(self) -> str:
        return f"the mail server {self._server.host}:{self._server.port}"

    async def _hand_over(self, client: SMTP, key: str, mail: bytes) -> Outcome:
        have = self._has_it.get(key, frozenset())
        refused: list[tuple[int, SMTPRecipientRefused]] = []
        taken: set[str] = set()
        await client.mail(self._envelope.sender)
        for place, address in enumerate(self._envelope.to, start=1):
            if address in have:
                continue
            try:
                await client.rcpt(address)
                taken.add(address)
            except SMTPRecipientRefused as error:
                refused.append((place, error))
        if taken:
            await client.data(mail)
        outcome = judge_recipients(refused, of=len(self._envelope.to), server=self._shown)
        self._remember(key, have | taken, outcome)
        return outcome

    def _remember(self, key: str, have: frozenset[str], outcome: Outcome) -> None:
        self._has_it.pop(key, None)
        if have and not isinstance(outcome, Sent):
            self._has_it[key] = have
            while len(self._has_it) > PARTLY_KEPT:
                self._has_it.popitem(last=False)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[SMTP]:
        sock = await self._open()
        client = SMTP(
            hostname=self._server.host,
            local_hostname=_literal(sock),
            sock=sock,
            use_tls=self._server.security is Security.TLS,
            start_tls=False,  # below, where its absence is an error of its own
            tls_context=self._tls,
            timeout=self._send_seconds,
        )
        try:
            await self._greet(client)
            yield client
            await _leave(client)
        finally:
            transport = client.transport
            client.close()
            if transport is not None:
                cast("asyncio.WriteTransport", transport).abort()

    async def _greet(self, client: SMTP) -> None:
        await client.connect()
        if self._server.security is Security.STARTTLS:
            await client.ehlo()
            if not client.supports_extension("starttls"):
                raise NotSafeError("no STARTTLS")
            await client.starttls()
        if self._server.username is not None:
            await client.ehlo()
            if not client.supported_auth_methods:
                raise NoSignInError("no AUTH")
            await client.login(self._server.username, self._server.password or "")

    async def _open(self) -> socket.socket:
        """Connect to the first address of the server that answers and is allowed."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._server.host, self._server.port, type=socket.SOCK_STREAM)
        last: OSError = WayRefusedError("is an address inside this network")
        for family, kind, protocol, address in self._reachable(found):
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await loop.sock_connect(sock, address)
                return sock
            except OSError as error:  # a TimeoutError is one
                sock.close()
                last = error
            except BaseException:
                sock.close()
                raise
        raise last

    def _reachable(self, found: Sequence[Any]) -> Iterator[tuple[Any, Any, int, Any]]:
        """List the addresses to which a connection is allowed, by the numbers that will really be used.

        Raises:
            WayRefusedError: mail would go to a public one without TLS.
        """
        needs_inside = self._server.security is Security.NONE and not self._server.allow_unencrypted
        for family, kind, protocol, _, address in found:
            if not may_connect(str(address[0]), self._allowed):
                continue
            if needs_inside and may_connect(str(address[0]), ()):
                raise WayRefusedError("is outside of this network, where mail goes by TLS alone")
            yield family, kind, protocol, address


async def _leave(client: SMTP) -> None:
    """Say goodbye to a server that has the mail; whatever comes of that, it has it."""
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(LEAVE_SECONDS):
            await client.quit()


def _literal(sock: socket.socket) -> str:
    """Return the own address as a greeting, where no name of this machine is looked up or told (RFC 5321)."""
    number = str(sock.getsockname()[0])
    return f"[IPv6:{number}]" if ":" in number else f"[{number}]"
