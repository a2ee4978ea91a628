"""Builds the senders of receivers that have a service of their own, by what the policy says of them."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypedDict

from faultwire_consumer.domain.policy.receiver.alertmanager import Alertmanager
from faultwire_consumer.domain.policy.receiver.apprise import Apprise
from faultwire_consumer.domain.policy.receiver.login import Login
from faultwire_consumer.domain.policy.receiver.ntfy import Ntfy
from faultwire_consumer.domain.policy.receiver.opsgenie import Opsgenie
from faultwire_consumer.domain.policy.receiver.pagerduty import PagerDuty
from faultwire_consumer.domain.policy.receiver.slack import Slack
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.address import Network
from faultwire_consumer.notify.senders.alertmanager import AlertmanagerSender
from faultwire_consumer.notify.senders.apprise import AppriseSender
from faultwire_consumer.notify.senders.credential import basic, bearer, read_secret_text
from faultwire_consumer.notify.senders.ntfy import NtfySender
from faultwire_consumer.notify.senders.opsgenie import OpsgenieSender
from faultwire_consumer.notify.senders.pagerduty import PagerDutySender
from faultwire_consumer.notify.senders.slack import SlackSender
from faultwire_shared.clock import Clock

ServiceWay = Slack | PagerDuty | Opsgenie | Alertmanager | Ntfy | Apprise


class _Connecting(TypedDict):
    clock: Clock
    allowed_networks: Sequence[Network]


def service_sender(name: str, way: ServiceWay, clock: Clock) -> Sender:
    """Build the sender of a receiver. Reads its secrets' files.

    Raises:
        PolicyFileError: a secret's file cannot be read.
        ValueError: a secret or an address cannot be used; the text holds neither.
    """
    return _BUILDERS[type(way)](name, way, clock)


def _slack(name: str, way: Slack, clock: Clock) -> Sender:
    return SlackSender(name, read_secret_text(name, way.url), chat=way.chat, **_connecting(way, clock))


def _pagerduty(name: str, way: PagerDuty, clock: Clock) -> Sender:
    return PagerDutySender(
        name,
        way.url.text,
        routing_key=read_secret_text(name, way.routing_key),
        origin=way.origin,
        **_connecting(way, clock),
    )


def _opsgenie(name: str, way: Opsgenie, clock: Clock) -> Sender:
    return OpsgenieSender(
        name,
        way.url.text,
        api_key=read_secret_text(name, way.api_key),
        origin=way.origin,
        **_connecting(way, clock),
    )


def _alertmanager(name: str, way: Alertmanager, clock: Clock) -> Sender:
    return AlertmanagerSender(
        name,
        way.url.text,
        origin=way.origin,
        keep_firing=way.keep_firing,
        authorization=_authorization(name, way.login),
        **_connecting(way, clock),
    )


def _ntfy(name: str, way: Ntfy, clock: Clock) -> Sender:
    authorization = _authorization(name, way.login)
    return NtfySender(name, way.url.text, authorization=authorization, **_connecting(way, clock))


def _apprise(name: str, way: Apprise, _: Clock) -> Sender:
    return AppriseSender(name, way.url.text)


def _connecting(way: Slack | PagerDuty | Opsgenie | Alertmanager | Ntfy, clock: Clock) -> _Connecting:
    return {"clock": clock, "allowed_networks": way.allow_private_addresses}


def _authorization(name: str, login: Login) -> str | None:
    if login.token is not None:
        return bearer(read_secret_text(name, login.token))
    if login.username is not None and login.password is not None:
        return basic(login.username, read_secret_text(name, login.password))
    return None


_BUILDERS: Final[dict[type[Any], Callable[[str, Any, Clock], Sender]]] = {
    Slack: _slack,
    PagerDuty: _pagerduty,
    Opsgenie: _opsgenie,
    Alertmanager: _alertmanager,
    Ntfy: _ntfy,
    Apprise: _apprise,
}
