"""A receiver that is a Prometheus Alertmanager, by its API v2."""

from datetime import timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.policy.receiver.login import Login, read_login
from faultwire_consumer.domain.policy.receiver.network import Network, read_allowed
from faultwire_consumer.domain.policy.receiver.origin import read_origin
from faultwire_consumer.domain.policy.receiver.webhook import read_url
from faultwire_consumer.domain.policy.secret import Secret
from faultwire_consumer.domain.policy.table import Table

KEEP_FIRING: Final = timedelta(days=3)
KEEP_FIRING_MIN: Final = timedelta(minutes=5)
KEEP_FIRING_MAX: Final = timedelta(days=30)


class Alertmanager(Struct, frozen=True, kw_only=True):
    """Keeps an alert firing for each incident until it is resolved."""

    url: Secret
    """What stands before ``/api/v2/alerts``."""
    login: Login
    origin: str
    keep_firing: timedelta = KEEP_FIRING
    """Time after the last notification at which an alert ends although nobody resolved its incident."""
    allow_private_addresses: tuple[Network, ...] = ()


def read_alertmanager(table: Table) -> Alertmanager:
    """Read what a receiver of this type has of its own.

    Raises:
        PolicyError: something in it is not valid.
    """
    url = table.read("url", read_url, None)
    if url is None:
        raise table.missing("url", "the Alertmanager's address, as in http://alertmanager:9093")
    return Alertmanager(
        url=Secret(url),
        login=read_login(table),
        origin=read_origin(table),
        keep_firing=table.duration("keep_firing", KEEP_FIRING_MIN, KEEP_FIRING_MAX) or KEEP_FIRING,
        allow_private_addresses=read_allowed(table),
    )
