"""Settings that say where a worker listens, and who may ask it."""

import re
from enum import StrEnum
from typing import Literal

from pydantic import field_validator, model_validator

from faultwire_consumer.domain.setting.address import is_loopback
from faultwire_consumer.domain.setting.oidc import OidcSettings
from faultwire_consumer.domain.setting.proxy import ProxySettings


class AccessMode(StrEnum):
    """The way in which people are known; a program's token holds in each."""

    OPEN = "open"
    """Nobody signs in: for a worker that only its own machine can reach."""
    LOGIN = "login"
    """Everybody signs in here."""
    PROXY = "proxy"
    """A proxy in front of the worker knows who asks, and says so."""


class AccessSettings(OidcSettings, ProxySettings):
    """The part of a worker's configuration that decides who may ask."""

    http_host: str = "127.0.0.1"
    """Address on which the page, the API and the intake listen."""
    access: AccessMode = AccessMode.OPEN
    """Who is let in: ``open`` is everybody on this machine, ``login`` and ``proxy`` those who are known."""
    http_trust_network: bool = False
    """Listen beyond this machine although nobody signs in; the next release no longer knows it."""
    amqp_service_check: Literal["off", "routing_key"] = "off"
    """``routing_key``: the broker lets a service use its own keys alone, so others' events are refused."""
    http_allowed_hosts: str = ""
    """Names besides localhost and that of `public_url` that page and API answer to, separated by commas."""

    @property
    def loopback_only(self) -> bool:
        """True if only this machine can reach the HTTP server."""
        return is_loopback(self.http_host)

    @property
    def is_open(self) -> bool:
        """True if nobody signs in."""
        return self.access is AccessMode.OPEN

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The names of `http_allowed_hosts`."""
        return tuple(host.strip() for host in self.http_allowed_hosts.split(",") if host.strip())

    @field_validator("http_allowed_hosts")
    @classmethod
    def _check_allowed_hosts(cls, value: str) -> str:
        for host in filter(None, map(str.strip, value.split(","))):
            if not re.fullmatch(r"[A-Za-z0-9_.-]+", host):
                raise ValueError(f"{host[:100]!r} is not a host's name; write errors.example.com,worker-1")
        return value

    @model_validator(mode="after")
    def _know_the_proxy(self) -> "AccessSettings":
        if self.access is AccessMode.PROXY:
            self.check_proxy(is_loopback=self.loopback_only)
        elif self.proxy_user_header is not None or self.proxy_jwt_header is not None:
            raise ValueError(
                f'a proxy\'s header says who asks where access = "proxy"; here access is {self.access.value}'
            )
        return self

    @model_validator(mode="after")
    def _know_the_provider(self) -> "AccessSettings":
        public_url: str | None = getattr(self, "public_url", None)
        self.check_oidc(public_url=public_url, is_login=self.access is AccessMode.LOGIN)
        return self

    @model_validator(mode="after")
    def _keep_strangers_out(self) -> "AccessSettings":
        if self.is_open and not (self.loopback_only or self.http_trust_network):
            raise ValueError(
                f"http_host {self.http_host} lets everyone on the network ask, and access = open lets them "
                'in: set access = "login" (FAULTWIRE_ACCESS=login), then `faultwire access invite NAME '
                "--role admin` for the first person and `faultwire access token create NAME --scope ingest` "
                "for a program; or keep http_host 127.0.0.1"
            )
        return self
