"""Judges what a mail server answers, by its code; its words may hold addresses and are not shown."""

import re
import socket
import ssl
from collections.abc import Sequence
from typing import Final

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent, Transient

# RFC 3463: class, subject, detail.
_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


class NotSafeError(SMTPException):
    """The server does not offer what the policy asks for; nothing is sent to it otherwise."""


class WayRefusedError(OSError):
    """Every address of the server is one to which no notification may go."""


class NoSignInError(SMTPException):
    """The server offers no way to sign in."""


# The order matters: a timeout, a name that is not known and a lost connection are all errors of the system.
_TRANSIENT: Final = (
    (NotSafeError, SendReason.TLS_FAILED, "{} offers no STARTTLS, and gets nothing without it"),
    (TimeoutError, SendReason.TIMEOUT, "no answer from {} in time"),
    (SMTPServerDisconnected, SendReason.CONNECTION_LOST, "{} ended the connection"),
    (socket.gaierror, SendReason.UNREACHABLE, "the name of {} does not resolve"),
    (OSError, SendReason.UNREACHABLE, "no connection to {}"),
    (SMTPException, SendReason.RECEIVER_FAILED, "{} answered what cannot be read"),
)


def judge_code(error: SMTPResponseException, server: str) -> Transient | Permanent:
    """Return the outcome that a code stands for: 4xx asks to come again (greylisting), 5xx never will."""
    what = "refused the sign-in" if isinstance(error, SMTPAuthenticationError) else "answered"
    said = f"{server} {what}: {spell_code(error)}"
    if 400 <= error.code < 500:
        return Transient(SendReason.BUSY, said)
    if error.code < 400:
        return Transient(SendReason.RECEIVER_FAILED, f"{server} answered what nobody asked for: {error.code}")
    return Permanent(SendReason.REFUSED, said)


def judge_recipients(refused: Sequence[tuple[int, SMTPRecipientRefused]], *, of: int, server: str) -> Outcome:
    """Return the outcome of a mail that some recipients have, or nobody.

    Args:
        refused: the recipients that have it not, by their places in the policy, from 1.
        of: the number of all.
        server: its name for people.
    """
    if not refused:
        return Sent()
    waiting = [one for one in refused if 400 <= one[1].code < 500]
    those = "; ".join(
        f"{spell_code(error)} for recipient {place}" for place, error in (waiting or refused)[:5]
    )
    said = f"{server} took it for {of - len(refused)} of {of} recipients: {those}"
    if waiting:
        return Transient(SendReason.BUSY, said)
    return Permanent(SendReason.REFUSED, said) if len(refused) == of else Sent(said)


def judge_error(error: Exception, server: str) -> Outcome:
    """Return the outcome of an attempt that did not come to an answer about the mail."""
    if isinstance(error, SMTPResponseException):
        return judge_code(error, server)
    if isinstance(error, WayRefusedError):
        return Permanent(SendReason.ADDRESS_REFUSED, f"{server} {error}")
    if isinstance(error, NoSignInError):
        return Permanent(SendReason.REFUSED, f"{server} offers no way to sign in that is known")
    if _is_tls(error):
        return Transient(SendReason.TLS_FAILED, f"{server} showed no certificate to trust, or speaks no TLS")
    for kind, reason, said in _TRANSIENT:
        if isinstance(error, kind):
            return Transient(reason, said.format(server))
    return Permanent(SendReason.NOT_SENDABLE, f"it cannot be made into a mail for {server}")


def spell_code(error: SMTPResponseException) -> str:
    """Return code and enhanced code of an answer: ``450 4.2.0``."""
    enhanced = _ENHANCED.match(error.message.strip())
    return f"{error.code} {enhanced.group()}" if enhanced else str(error.code)


def _is_tls(error: BaseException) -> bool:
    seen: BaseException | None = error
    for _ in range(5):
        if seen is None:
            return False
        if isinstance(seen, ssl.SSLError | ssl.CertificateError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
