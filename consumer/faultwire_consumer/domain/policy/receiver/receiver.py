"""A receiver: its name, and the way in which it is notified."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.notification import RECOVERIES, NotificationReason
from faultwire_consumer.domain.policy.digest_time import DigestTime
from faultwire_consumer.domain.policy.receiver.alertmanager import Alertmanager, read_alertmanager
from faultwire_consumer.domain.policy.receiver.apprise import Apprise, read_apprise
from faultwire_consumer.domain.policy.receiver.email import Email, read_email
from faultwire_consumer.domain.policy.receiver.log import Log, read_log
from faultwire_consumer.domain.policy.receiver.ntfy import Ntfy, read_ntfy
from faultwire_consumer.domain.policy.receiver.opsgenie import Opsgenie, read_opsgenie
from faultwire_consumer.domain.policy.receiver.own import OwnSettings, read_own
from faultwire_consumer.domain.policy.receiver.pagerduty import PagerDuty, read_pagerduty
from faultwire_consumer.domain.policy.receiver.slack import Slack, read_slack
from faultwire_consumer.domain.policy.receiver.webhook import Webhook, read_webhook
from faultwire_consumer.domain.policy.table import Table

TEMPLATE_FILES: Final = ("subject.txt", "text.txt", "html.html")
"""The files of a folder of templates, of which it may lack some."""


class ReceiverType(StrEnum):
    """The way a receiver is notified, as its ``type`` spells it."""

    EMAIL = "email"
    LOG = "log"
    WEBHOOK = "webhook"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    OPSGENIE = "opsgenie"
    ALERTMANAGER = "alertmanager"
    NTFY = "ntfy"
    APPRISE = "apprise"


Way = Email | Log | Webhook | Slack | PagerDuty | Opsgenie | Alertmanager | Ntfy | Apprise

_READERS: Final[Mapping[ReceiverType, Callable[[Table], Way]]] = {
    ReceiverType.EMAIL: read_email,
    ReceiverType.LOG: read_log,
    ReceiverType.WEBHOOK: read_webhook,
    ReceiverType.SLACK: read_slack,
    ReceiverType.PAGERDUTY: read_pagerduty,
    ReceiverType.OPSGENIE: read_opsgenie,
    ReceiverType.ALERTMANAGER: read_alertmanager,
    ReceiverType.NTFY: read_ntfy,
    ReceiverType.APPRISE: read_apprise,
}

HEARS_OF_RECOVERY: Final = frozenset(("pagerduty", "opsgenie", "alertmanager"))
"""Types that keep an alert open until they hear of its end."""


class Receiver(Struct, frozen=True, kw_only=True):
    """A destination of notifications."""

    name: str
    type: ReceiverType
    way: Way
    """The type's own part: address, secrets."""
    template: str | None = None
    """The folder of its own templates; None for the built-in ones."""
    own: OwnSettings = OwnSettings()
    """Times and owners, which any type has."""
    recovery: bool = False
    """It hears when somebody acknowledged or resolved what it was told of."""

    @property
    def hears(self) -> frozenset[NotificationReason]:
        """Reasons that it asks for itself, beside those that rules send it."""
        return RECOVERIES if self.recovery else frozenset()

    @property
    def signed(self) -> bool:
        """Notifications are signed, with a secret that both sides know."""
        return isinstance(self.way, Webhook) and self.way.signed


def read_receiver(table: Table, file: DigestTime) -> Receiver:
    """Read one receiver.

    Args:
        table: the receiver's.
        file: the times of digests that the whole file has.

    Raises:
        PolicyError: something in it is not valid.
    """
    kind = table.enum("type", ReceiverType)
    if kind is None:
        raise table.missing("type", f"one of {', '.join(ReceiverType)}")
    template = table.text("template")
    recovery = table.switch("recovery", default=kind.value in HEARS_OF_RECOVERY)
    way, own = _READERS[kind](table), read_own(table, file)
    receiver = Receiver(name=table.name, type=kind, way=way, own=own, template=template, recovery=recovery)
    table.finish()
    return receiver
