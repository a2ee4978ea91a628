"""Builds the senders of a policy's receivers."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

from faultwire_consumer.domain.policy.policy import Policy, Receiver, ReceiverType
from faultwire_consumer.notify.policy_file import PolicyFileError
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.log import LogSender
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
    if receiver.type is ReceiverType.LOG or receiver.url is None:
        return LogSender(receiver.name)
    try:
        return WebhookSender(
            receiver.name,
            receiver.url.text,
            clock=clock,
            secrets=_secrets_of(receiver),
            allowed_networks=_ANYWHERE if receiver.allow_private_addresses else (),
        )
    except ValueError as error:
        raise PolicyFileError(f"receivers.{receiver.name}: {error}") from None


def _secrets_of(receiver: Receiver) -> Sequence[str]:
    if receiver.secret_file is None:
        return [secret.text for secret in receiver.secret]
    try:
        text = Path(receiver.secret_file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PolicyFileError(
            f"receivers.{receiver.name}.secret_file: cannot read {receiver.secret_file}: {why}"
        ) from None
    return text.split()
