"""Builds the sender of a receiver by mail: loaded only where a policy has one."""

from faultwire_consumer.domain.policy.receiver.email import Email
from faultwire_consumer.domain.policy.secret import Secret
from faultwire_consumer.notify.policy_file import PolicyFileError
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.credential import read_file
from faultwire_consumer.notify.senders.email import EmailSender, MailServer
from faultwire_consumer.notify.wording.built_in import load_built_in
from faultwire_consumer.notify.wording.mail import Envelope
from faultwire_shared.clock import Clock


def email_sender(name: str, way: Email, clock: Clock) -> Sender:
    """Build it, and the templates that its mails are written by. Reads its password's file.

    Raises:
        PolicyFileError: the file cannot be read, or is empty.
    """
    load_built_in()
    server = MailServer(
        host=way.host,
        port=way.port,
        security=way.security,
        username=_text(way.username),
        password=_password(name, way),
        allow_unencrypted=way.allow_unencrypted,
    )
    envelope = Envelope(
        sender=way.sender.address.text,
        sender_name=way.sender.name,
        to=tuple(one.text for one in way.to),
        reply_to=_text(way.reply_to),
        unsubscribe_mailto=_text(way.unsubscribe_mailto),
        unsubscribe_url=_text(way.unsubscribe_url),
    )
    return EmailSender(name, server, envelope, clock=clock, allowed_networks=way.allow_private_addresses)


def _password(name: str, way: Email) -> str | None:
    if way.password_file is None:
        return _text(way.password)
    lines = read_file(name, "password_file", way.password_file).splitlines()
    if not lines or not lines[0]:
        raise PolicyFileError(f"receivers.{name}.password_file: {way.password_file} has no first line")
    return lines[0]


def _text(secret: Secret | None) -> str | None:
    return None if secret is None else secret.text
