"""A receiver that is a service of PagerDuty's, by its Events API v2."""

from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.policy.receiver.network import Network, read_allowed
from faultwire_consumer.domain.policy.receiver.origin import read_origin
from faultwire_consumer.domain.policy.receiver.webhook import read_url
from faultwire_consumer.domain.policy.secret import Secret, SecretSource, read_needed_secret
from faultwire_consumer.domain.policy.table import Table

PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"


class PagerDuty(Struct, frozen=True, kw_only=True):
    """Triggers, acknowledges and resolves an alert for each incident."""

    url: Secret
    routing_key: SecretSource
    origin: str
    allow_private_addresses: tuple[Network, ...] = ()


def read_pagerduty(table: Table) -> PagerDuty:
    """Read what a receiver of this type has of its own.

    Raises:
        PolicyError: something in it is not valid.
    """
    what = "the integration key of an Events API v2 integration, or routing_key_file = the file that holds it"
    return PagerDuty(
        url=Secret(table.read("url", read_url, PAGERDUTY_URL)),
        routing_key=read_needed_secret(table, "routing_key", what),
        origin=read_origin(table),
        allow_private_addresses=read_allowed(table),
    )
