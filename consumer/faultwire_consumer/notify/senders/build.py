"""Builds the senders of a policy's receivers."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.receiver.log import Log
from faultwire_consumer.domain.policy.receiver.receiver import Receiver
from faultwire_consumer.domain.policy.receiver.webhook import Webhook
from faultwire_consumer.notify.policy_file import PolicyFileError
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.log import LogSender
from faultwire_consumer.notify.senders.service import service_sender
from faultwire_consumer.notify.senders.webhook import WebhookSender
from faultwire_shared.clock import Clock

_ANYWHERE: Final = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


def senders_of(policy: Policy, *, clock: Clock) -> dict[str, Sender]:
    """Build a sender for each receiver, by its name. Reads the secrets' files.

    Raises:
        PolicyFileError: a secret or an address cannot be used; the text holds neither.
    """
    return {receiver.name: _sender_of(receiver, clock) for receiver in policy.receivers}


def _sender_of(receiver: Receiver, clock: Clock) -> Sender:
    try:
        match receiver.way:
            case Webhook() as way:
                return _webhook(receiver.name, way, clock)
            case Log():
                return LogSender(receiver.name)
            case way:
                return service_sender(receiver.name, way, clock)
    except ValueError as error:
        raise PolicyFileError(f"receivers.{receiver.name}: {error}") from None


def _webhook(name: str, way: Webhook, clock: Clock) -> Sender:
    secrets: Sequence[str] = [secret.text for secret in way.secret]
    if way.secret_file is not None:
        secrets = _read_secrets(name, way.secret_file)
    return WebhookSender(
        name,
        way.url.text,
        clock=clock,
        secrets=secrets,
        allowed_networks=_ANYWHERE if way.allow_private_addresses else (),
    )


def _read_secrets(name: str, path: str) -> Sequence[str]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PolicyFileError(f"receivers.{name}.secret_file: cannot read {path}: {why}") from None
    return text.split()
