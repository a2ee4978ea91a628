"""A receiver that takes alerts as Opsgenie's Alert API does, Jira Service Management among them."""

from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.policy.receiver.network import Network, read_allowed
from faultwire_consumer.domain.policy.receiver.origin import read_origin
from faultwire_consumer.domain.policy.receiver.webhook import read_url
from faultwire_consumer.domain.policy.secret import Secret, SecretSource, read_needed_secret
from faultwire_consumer.domain.policy.table import Table

OPSGENIE_URL: Final = "https://api.opsgenie.com"


class Opsgenie(Struct, frozen=True, kw_only=True):
    """Creates, acknowledges and closes an alert for each incident."""

    url: Secret
    """What stands before ``/v2/alerts``."""
    api_key: SecretSource
    origin: str
    allow_private_addresses: tuple[Network, ...] = ()


def read_opsgenie(table: Table) -> Opsgenie:
    """Read what a receiver of this type has of its own.

    Raises:
        PolicyError: something in it is not valid.
    """
    what = "the key of an API integration, or api_key_file = the file that holds it"
    return Opsgenie(
        url=Secret(table.read("url", read_url, OPSGENIE_URL)),
        api_key=read_needed_secret(table, "api_key", what),
        origin=read_origin(table),
        allow_private_addresses=read_allowed(table),
    )
