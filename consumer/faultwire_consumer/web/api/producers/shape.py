"""Producers, services and their clients as the API gives them."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from faultwire_consumer.store.audit.producer_list import Producer, verdict_of
from faultwire_consumer.store.audit.service_clients import ServiceClient
from faultwire_consumer.store.audit.service_list import ServiceProducers


class ProducerShape(Struct, frozen=True, kw_only=True):
    """A producer in a list."""

    id: str
    service: str
    host: str
    state: str
    """``reports``, ``settled`` or ``quiet``."""
    state_reason: str
    """``heard``, ``said_all``, ``on_its_disk`` or ``no_goodbye``."""
    sdk: str | None
    started_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    last_report_at: datetime | None
    last_sequence: int
    missing: int
    dead_lettered: int
    unfollowed: int
    lost: Mapping[str, int]
    spool_depth: int
    via: str | None
    """The program that reports in its place, as in ``gateway``; null: it reports itself."""
    unnumbered: int
    """Events that came without a number."""
    dropped: Mapping[str, int]
    """Items that are no events, by kind."""


class ProducerList(Struct, frozen=True, kw_only=True):
    """A page of producers."""

    producers: tuple[ProducerShape, ...]
    next_cursor: str | None


class ClientShape(Struct, frozen=True, kw_only=True):
    """One version of a client library, in all processes of a service."""

    sdk: str
    via: str | None
    """The program that reports in its place, as in ``gateway``; null: it reports itself."""
    last_seen_at: datetime
    processes: int
    """Those that report themselves."""
    numbered: int
    unnumbered: int
    dropped: Mapping[str, int]
    lost: Mapping[str, int]


class ServiceShape(Struct, frozen=True, kw_only=True):
    """All producers of a service, added up; it stands as the process that was seen last."""

    service: str
    state: str
    """``reports``, ``settled`` or ``quiet``."""
    state_reason: str
    """``heard``, ``said_all``, ``on_its_disk`` or ``no_goodbye``."""
    processes: int
    """Those that report themselves."""
    quiet: int
    last_seen_at: datetime
    numbered: int
    missing: int
    dead_lettered: int
    unfollowed: int
    lost: Mapping[str, int]
    spool_depth: int
    sdks: tuple[str, ...]
    unnumbered: int
    """Events that came without a number, as those through the gateway do."""
    dropped: Mapping[str, int]
    """Items that are no events, by kind."""
    clients: tuple[ClientShape, ...]
    """Its client libraries by version, the last seen first; fifty at most."""


class ServiceList(Struct, frozen=True, kw_only=True):
    """A page of services."""

    services: tuple[ServiceShape, ...]
    next_cursor: str | None


def producer_shape(producer: Producer, now: datetime) -> ProducerShape:
    """A producer for a list."""
    verdict = verdict_of(producer, now)
    own = ("id", "state", "state_reason")
    values = {name: getattr(producer, name) for name in ProducerShape.__struct_fields__ if name not in own}
    return ProducerShape(
        id=producer.producer_id, state=verdict.state.value, state_reason=verdict.reason.value, **values
    )


def service_shape(found: ServiceProducers) -> ServiceShape:
    """A service's producers for a list."""
    own = ("state", "state_reason", "clients")
    values = {name: getattr(found, name) for name in ServiceShape.__struct_fields__ if name not in own}
    return ServiceShape(
        state=found.verdict.state.value,
        state_reason=found.verdict.reason.value,
        clients=tuple(_client_shape(one) for one in found.clients),
        **values,
    )


def _client_shape(client: ServiceClient) -> ClientShape:
    return ClientShape(**{name: getattr(client, name) for name in ClientShape.__struct_fields__})
