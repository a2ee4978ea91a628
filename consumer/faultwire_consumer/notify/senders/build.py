"""Builds the senders of a policy's receivers; what only some kinds of them need is loaded for those."""

from collections.abc import Sequence

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.receiver.email import Email
from faultwire_consumer.domain.policy.receiver.log import Log
from faultwire_consumer.domain.policy.receiver.receiver import Receiver
from faultwire_consumer.domain.policy.receiver.webhook import Webhook
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.plain_text import one_line
from faultwire_consumer.notify.policy_file import PolicyFileError
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.credential import read_file
from faultwire_consumer.notify.senders.log import LogSender
from faultwire_consumer.notify.senders.service_sender import service_sender
from faultwire_consumer.notify.senders.webhook import WebhookSender
from faultwire_consumer.notify.senders.worded import WordedSender
from faultwire_consumer.notify.wording.own_templates import OwnTemplates
from faultwire_consumer.notify.wording.show import clean_line
from faultwire_shared.clock import Clock


def senders_of(policy: Policy, *, clock: Clock, metrics: Metrics | None = None) -> dict[str, Sender]:
    """Build a sender for each receiver, by its name. Reads the files of secrets and templates.

    A broken template is no error: the built-in one stands in for it (`template_faults`).

    Args:
        policy: has the receivers.
        clock: for dates and signatures.
        metrics: count, and the log tells of, broken templates; None where whoever asks looks at them.

    Raises:
        PolicyFileError: a secret or an address cannot be used; the text holds neither.
    """
    return {receiver.name: _sender_of(receiver, clock, metrics) for receiver in policy.receivers}


def _sender_of(receiver: Receiver, clock: Clock, metrics: Metrics | None) -> Sender:
    try:
        sender = _plain_sender(receiver, clock)
    except ValueError as error:
        raise PolicyFileError(f"receivers.{receiver.name}: {error}") from None
    if receiver.template is None:
        return sender
    show = clean_line if isinstance(receiver.way, Email) else one_line
    return WordedSender(sender, OwnTemplates(receiver.template, receiver.name, show=show), metrics)


def _plain_sender(receiver: Receiver, clock: Clock) -> Sender:
    match receiver.way:
        case Email() as way:
            # The library for mails and the compiler of their templates: 3 MiB that many workers never need.
            from faultwire_consumer.notify.senders.email_sender import email_sender  # noqa: PLC0415

            return email_sender(receiver.name, way, clock)
        case Webhook() as way:
            return _webhook(receiver.name, way, clock)
        case Log():
            return LogSender(receiver.name)
        case way:
            return service_sender(receiver.name, way, clock)


def _webhook(name: str, way: Webhook, clock: Clock) -> Sender:
    secrets: Sequence[str] = [secret.text for secret in way.secret]
    if way.secret_file is not None:
        secrets = read_file(name, "secret_file", way.secret_file).split()
    return WebhookSender(
        name,
        way.url.text,
        clock=clock,
        secrets=secrets,
        allowed_networks=way.allow_private_addresses,
    )
