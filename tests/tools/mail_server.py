"""A real SMTP server with mailboxes, which behaves as badly as it is told."""

import asyncio
import hashlib
import hmac
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, LoginPassword, Session

logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # its own log holds whole mails

USERNAME, PASSWORD = "errors", "correct horse"


@dataclass(frozen=True)
class Received:
    """One mail as it came."""

    sender: str
    to: tuple[str, ...]
    mail: EmailMessage
    raw: bytes
    is_encrypted: bool
    signed_in: bool


@dataclass
class MailServer:
    """Takes everything, but for what stands in ``answers``."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    """Its answer to a command, or to a recipient."""
    hangs_at: str = ""
    """The command to which it gives no answer."""
    drops_at: str = ""
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    mechanisms: set[str] = field(default_factory=set)
    """Ways of signing in that somebody used."""
    open: int = 0
    most_open: int = 0
    pausing: asyncio.Event | None = None
    """Holds mails back until it is set."""
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    connections: "set[_Connection]" = field(default_factory=set)

    @property
    def mails(self) -> list[EmailMessage]:
        return [one.mail for one in self.received]

    def mailbox(self, address: str) -> list[EmailMessage]:
        return [one.mail for one in self.received if address in one.to]

    async def _answer(self, server: SMTP, command: str) -> str | None:
        self.commands.append(command)
        if self.hangs_at == command:
            await self.leaving.wait()
        if self.drops_at == command:
            _transport(server).abort()
        return self.answers.get(command)

    async def handle_EHLO(  # noqa: N802 - the server's own name for it
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        await self._answer(server, "EHLO")
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802 - the server's own name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = await self._answer(server, "MAIL")
        envelope.mail_from = address
        return refused or "250 2.1.0 fine"

    async def handle_RCPT(  # noqa: N802 - the server's own name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = await self._answer(server, "RCPT") or self.answers.get(address)
        if refused is None:
            envelope.rcpt_tos.append(address)
        return refused or "250 2.1.5 fine"

    async def handle_DATA(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        refused = await self._answer(server, "DATA")
        if self.pausing is not None:
            await self.pausing.wait()
        if refused is None:
            raw = envelope.content or b""
            assert isinstance(raw, bytes)
            mail = message_from_bytes(raw, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            is_encrypted = _transport(server).get_extra_info("sslcontext") is not None
            sender, to = envelope.mail_from or "", tuple(envelope.rcpt_tos)
            signed_in = bool(session.authenticated)
            self.received.append(Received(sender, to, mail, raw, is_encrypted, signed_in))
        return refused or "250 2.0.0 taken"

    async def handle_QUIT(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        return await self._answer(server, "QUIT") or "221 bye"

    async def auth_CRAM__MD5(  # noqa: N802 - as above
        self, server: SMTP, args: list[str]
    ) -> AuthResult:
        if "AUTH" in self.answers:
            return AuthResult(success=False, handled=False, message=self.answers["AUTH"])
        challenge = b"<17.42@mail.example>"
        answer = await server.challenge_auth(challenge)
        if answer is MISSING:
            return AuthResult(success=False)
        name, _, digest = bytes(answer).decode().partition(" ")
        expected = hmac.new(PASSWORD.encode(), challenge, hashlib.md5).hexdigest()
        self.mechanisms.add("CRAM-MD5")
        return AuthResult(success=name == USERNAME and digest == expected, auth_data=name)

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        self.mechanisms.add(mechanism)
        if "AUTH" in self.answers:
            return AuthResult(success=False, handled=False, message=self.answers["AUTH"])
        right = isinstance(given, LoginPassword) and given.login == USERNAME.encode()
        return AuthResult(success=right and given.password == PASSWORD.encode())


class _Connection(SMTP):
    """Counts itself, and greets as it is told."""

    def __init__(self, mails: MailServer, **options: Any) -> None:
        super().__init__(mails, **options)
        self._mails = mails
        self._is_counted = False

    def connection_made(self, transport: Any) -> None:
        self._mails.connections.add(self)
        if not self._is_counted:
            self._is_counted = True
            self._mails.open += 1
            self._mails.most_open = max(self._mails.most_open, self._mails.open)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._mails.open -= 1
        super().connection_lost(error)

    async def push(self, status: Any) -> None:
        text = status.decode() if isinstance(status, bytes) else status
        is_greeting = text.startswith("220 ") and "ready" not in text.lower()
        if is_greeting and "CONNECT" in (self._mails.hangs_at, self._mails.drops_at):
            await self._mails._answer(self, "CONNECT")
        if is_greeting:
            text = self._mails.answers.get("CONNECT", text)
        await super().push(text)


def _transport(server: SMTP) -> asyncio.WriteTransport:
    return cast("asyncio.WriteTransport", server.transport)


@asynccontextmanager
async def mail_server(
    certificate: "Certificate | None" = None, *, implicit: bool = False, without: tuple[str, ...] = ()
) -> AsyncIterator[MailServer]:
    """A mail server on a free port of 127.0.0.1.

    Args:
        certificate: its own; without one it speaks no TLS.
        implicit: it speaks TLS from the first byte, not at a command.
        without: ways of signing in that it does not offer.
    """
    mails, loop = MailServer(), asyncio.get_running_loop()
    context = None if certificate is None else certificate.server_context()
    options: dict[str, Any] = {
        "hostname": "mail.example",
        "ident": "test",
        "authenticator": mails.authenticate,
        "auth_exclude_mechanism": without,
        "auth_require_tls": context is not None and not implicit,
        "tls_context": None if implicit else context,
        "loop": loop,
    }
    server = await loop.create_server(
        lambda: _Connection(mails, **options), "127.0.0.1", 0, ssl=context if implicit else None
    )
    mails.port = server.sockets[0].getsockname()[1]
    try:
        yield mails
    finally:
        mails.leaving.set()
        server.close()
        for connection in mails.connections:
            if connection.transport is not None:
                _transport(connection).abort()
        await server.wait_closed()


@dataclass(frozen=True)
class Certificate:
    """A certificate that signed itself."""

    cert: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Trusts it and nobody else."""
        return ssl.create_default_context(cafile=str(self.cert))


def make_certificate(folder: Path, name: str) -> Certificate:
    """A certificate for one name of a host, or its number."""
    kind = "IP" if name[0].isdigit() else "DNS"
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}"]
    out = ["-keyout", str(made.key), "-out", str(made.cert)]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *curve, *subject, *out], check=True, capture_output=True)
    return made
