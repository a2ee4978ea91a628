"""A notification as a mail: its headers, of which no stranger's text can make another, and its two parts."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final

from msgspec import Struct

import faultwire_shared
from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.notify.message import SUBJECT_CHARACTERS
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.wording.built_in import HTML_FILE, SUBJECT_FILE, TEXT_FILE, render_built_in
from faultwire_consumer.notify.wording.show import clean_line
from faultwire_consumer.notify.wording.values import values_of
from faultwire_shared.event import ErrorSeverity

HEADER_CHARACTERS: Final = 200
_ID_CHARACTERS: Final = 32


class Envelope(Struct, frozen=True, kw_only=True):
    """Sender and recipients of a mail, as the policy says them: plain addresses in ASCII."""

    sender: str
    sender_name: str
    to: tuple[str, ...]
    reply_to: str | None = None
    unsubscribe_mailto: str | None = None
    unsubscribe_url: str | None = None


def mail_of(notification: Notification, envelope: Envelope, *, now: datetime) -> bytes:
    """Write a notification as a mail, in ASCII with lines of CRLF.

    A second attempt's has the same ``Message-ID``, so that whoever has the first can tell.
    """
    values = values_of(notification)
    own = notification.wording
    subject = _subject(own.subject if own.subject is not None else render_built_in(SUBJECT_FILE, values))
    text = own.text if own.text is not None else render_built_in(TEXT_FILE, values)
    html = own.html if own.html is not None else _page(values, subject)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(envelope.sender, envelope.sender_name)
    mail["To"] = tuple(_address(one) for one in envelope.to)
    if envelope.reply_to is not None:
        mail["Reply-To"] = _address(envelope.reply_to)
    mail.set_content(_clean(text), cte="quoted-printable")
    mail.add_alternative(_clean(html), subtype="html", cte="quoted-printable")
    # Written without the library's folding, which encodes what is longer than a line and breaks threads.
    plain = "".join(_line(name, value) for name, value in _plain_headers(notification, envelope, now))
    return (plain + _subject_header(subject)).encode("ascii") + mail.as_bytes()


def _page(values: Mapping[str, Any], subject: str) -> str:
    return render_built_in(HTML_FILE, {**values, "subject": subject})


def message_id(notification: Notification, sender: str) -> str:
    """Return the ``Message-ID`` of a notification: by its idempotency key, and the time of its decision.

    A worker that begins anew has the same keys again, and a mailbox drops what it believes to have.
    """
    made_at = notification.created_at.isoformat()
    return _id_of(f"notification {notification.idempotency_key} {made_at}", sender)


def thread_id(notification: Notification, sender: str) -> str | None:
    """Return the id that all mails of one incident refer to; None for what tells of several.

    No mail has it as its own: programs make one thread of those that refer to the same, and so the
    thread stands whichever mail of it was the first to come.
    """
    if notification.kind is not NotificationKind.INCIDENT or len(notification.incidents) != 1:
        return None
    where = f"{notification.public_url or ''} {notification.receiver}"
    return _id_of(f"incident {where} {notification.incidents[0].id}", sender)


def _id_of(text: str, sender: str) -> str:
    digest = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:_ID_CHARACTERS]
    return f"<{digest}@{sender.rpartition('@')[2]}>"


def _plain_headers(
    notification: Notification, envelope: Envelope, now: datetime
) -> Iterator[tuple[str, str]]:
    yield "Date", format_datetime(now)
    yield "Message-ID", message_id(notification, envelope.sender)
    thread = thread_id(notification, envelope.sender)
    if thread is not None:
        yield "In-Reply-To", thread
        yield "References", thread
    # Nobody's absence note is to answer it (RFC 3834); the second is Exchange's.
    yield "Auto-Submitted", "auto-generated"
    yield "X-Auto-Response-Suppress", "All"
    if notification.severity is ErrorSeverity.CRITICAL and notification.incidents:
        yield "Importance", "high"
    yield from _own_headers(notification)
    if notification.kind is NotificationKind.DIGEST:
        yield from _unsubscribe_headers(envelope)


def _own_headers(notification: Notification) -> Iterator[tuple[str, str]]:
    """List what a mailbox's filters may ask for."""
    yield "X-Mailer", f"faultwire/{faultwire_shared.__version__}"
    yield "X-Faultwire-Key", _ascii(notification.idempotency_key)
    yield "X-Faultwire-Kind", notification.kind.value
    yield "X-Faultwire-Reason", notification.reason.value
    yield "X-Faultwire-Severity", notification.severity.value
    yield "X-Faultwire-Rule", _ascii(notification.rule)
    yield "X-Faultwire-Receiver", _ascii(notification.receiver)
    if len(notification.incidents) == 1 and notification.kind is NotificationKind.INCIDENT:
        (incident,) = notification.incidents
        yield "X-Faultwire-Incident", _ascii(incident.id)
        yield "X-Faultwire-Service", _ascii(incident.service)
        yield "X-Faultwire-Environment", _ascii(incident.environment)


def _unsubscribe_headers(envelope: Envelope) -> Iterator[tuple[str, str]]:
    """Say how a reader ends digests (RFC 2369); one click is an address of the operator's (RFC 8058)."""
    ways = []
    if envelope.unsubscribe_url is not None:
        ways.append(f"<{envelope.unsubscribe_url}>")
    if envelope.unsubscribe_mailto is not None:
        ways.append(f"<mailto:{envelope.unsubscribe_mailto}?subject=unsubscribe>")
    if ways:
        yield "List-Unsubscribe", ", ".join(ways)
    if envelope.unsubscribe_url is not None:
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _line(name: str, value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{name} of a mail cannot be written")
    return f"{name}: {value}\r\n" if value.strip() else ""


def _ascii(text: str) -> str:
    """Return a stranger's text for a header: on one line, other letters as escapes, cut."""
    escaped = clean_line(text, HEADER_CHARACTERS).encode("ascii", "backslashreplace").decode()
    return escaped[:HEADER_CHARACTERS].strip()


def _subject(text: str) -> str:
    """Return a subject on one line."""
    line = " ".join(clean_line(" ".join(text.split()), SUBJECT_CHARACTERS).split())
    return line or "faultwire"


def _subject_header(subject: str) -> str:
    """Write a subject as it is; encoded where it has other letters, or looks encoded (RFC 2047)."""
    if subject.isascii() and "=?" not in subject:
        return _line("Subject", subject)
    encoded = Header(subject, "utf-8", header_name="Subject").encode(linesep="\r\n")
    if not all(line.isascii() and line.isprintable() for line in encoded.split("\r\n ")):
        raise ValueError("the subject of a mail cannot be written")
    return f"Subject: {encoded}\r\n"


def _address(address: str, name: str = "") -> Address:
    return Address(display_name=name, addr_spec=address)


def _clean(text: str) -> str:
    """Replace lone surrogates, which no encoding writes, and other ends of lines than a line feed."""
    return "\n".join(text.encode(errors="replace").decode().splitlines()) + "\n"
