"""Settings of a proxy in front of the worker that knows who asks, and says so."""

import json
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.setting.address import check_tls

IpNetwork = IPv4Network | IPv6Network
RoleGroups = dict[AccountRole, tuple[str, ...]]
_TOKEN: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_TAKEN: Final = ("authorization", "cookie", "host", "origin", "connection", "content-length", "accept")
_WIDEST: Final = {4: 8, 6: 7}
"""Wider than 10.0.0.0/8 and fc00::/7 is no network of one's own."""


class ProxySettings(BaseModel):
    """The part of a worker's configuration that says which proxy is believed, and what."""

    proxy_networks: str = ""
    """Networks of the proxies, separated by commas. Their word on a client's address is believed too."""
    proxy_user_header: str | None = None
    """The header in which the proxy names who asks; it must overwrite what a client sends by that name."""
    proxy_groups_header: str | None = None
    """The header in which it names that person's groups, separated by commas."""
    proxy_secret_file: Path | None = Field(default=None, repr=False)
    """A file with a secret that the proxy shows in X-Faultwire-Proxy-Secret; needed on its own machine."""
    proxy_roles: Annotated[RoleGroups, NoDecode] = {}
    """Roles by groups, as ``{admin = ["sre"], operator = ["dev"]}``."""
    proxy_default_role: AccountRole | None = None
    """The role of whom the proxy names and nothing else here knows; without it nobody's."""
    proxy_jwt_header: str | None = None
    """In place of `proxy_user_header`, the header with what the proxy signed (Cloudflare Access, IAP)."""
    proxy_jwt_keys_url: str | None = None
    """Where the proxy's public keys are, as a JWKS."""
    proxy_jwt_issuer: str | None = None
    proxy_jwt_audience: str | None = None
    proxy_jwt_user_claim: str = "email"
    """The claim that names who asks."""
    proxy_jwt_groups_claim: str = "groups"

    @property
    def trusted_networks(self) -> tuple[IpNetwork, ...]:
        """The networks of `proxy_networks`."""
        return tuple(ip_network(text, strict=False) for text in _split(self.proxy_networks))

    @field_validator("proxy_networks")
    @classmethod
    def _check_networks(cls, value: str) -> str:
        for text in _split(value):
            try:
                network = ip_network(text, strict=False)
            except ValueError:
                raise ValueError(
                    f"{text[:100]!r} is no network; write 10.0.3.0/24, or a proxy's one address"
                ) from None
            if network.prefixlen < _WIDEST[network.version]:
                raise ValueError(f"{text[:100]} is nearly everybody: name the addresses of the proxy alone")
        return value

    @field_validator("proxy_user_header", "proxy_groups_header", "proxy_jwt_header")
    @classmethod
    def _check_header(cls, value: str | None) -> str | None:
        if value is not None and (_TOKEN.fullmatch(value) is None or value.lower() in _TAKEN):
            raise ValueError(f"{value[:100]!r} cannot be that header; write one as X-Forwarded-User")
        return value

    @field_validator("proxy_jwt_keys_url")
    @classmethod
    def _check_keys_url(cls, value: str | None) -> str | None:
        if value is not None:
            check_tls(value)
        return value

    @field_validator("proxy_roles", mode="before")
    @classmethod
    def _read_proxy_roles(cls, value: Any) -> Any:
        return read_roles(value)

    def check_proxy(self, *, is_loopback: bool) -> None:
        """Check that the parts make a whole, where people are known by a proxy.

        Raises:
            ValueError: one is missing; the text says which.
        """
        if (self.proxy_user_header is None) == (self.proxy_jwt_header is None):
            raise ValueError(
                'access = "proxy" takes proxy_user_header, the header in which the proxy names who asks, or '
                "proxy_jwt_header, the one with what it signed"
            )
        if self.proxy_jwt_header is not None:
            self._check_signed()
            return
        if not self.trusted_networks:
            raise ValueError(
                f"anybody could send {self.proxy_user_header}: set proxy_networks to the addresses of the "
                "proxy, as 10.0.3.7 or 10.0.3.0/24"
            )
        is_local = is_loopback or any(network.is_loopback for network in self.trusted_networks)
        if is_local and self.proxy_secret_file is None:
            raise ValueError(
                "every user of this machine could be the proxy: set proxy_secret_file to a file that only "
                "the worker and the proxy can read; the proxy shows what is in it in X-Faultwire-Proxy-Secret"
            )

    def _check_signed(self) -> None:
        for name in ("proxy_jwt_keys_url", "proxy_jwt_issuer", "proxy_jwt_audience"):
            if not getattr(self, name):
                raise ValueError(f"proxy_jwt_header needs {name} too, or another's signature would do")


def read_roles(value: Any) -> Any:
    """Return roles by groups, from a table or, as a variable has it, from JSON.

    Raises:
        ValueError: it is neither, or has a role that is none.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not (isinstance(value, dict) and all(map(_is_role, value.keys(), value.values()))):
        raise ValueError('write {admin = ["sre"], operator = ["dev"]}; in a variable as JSON')
    return value


def _is_role(role: Any, groups: Any) -> bool:
    is_list = isinstance(groups, list | tuple) and all(isinstance(group, str) for group in groups)
    return role in tuple(AccountRole) and is_list


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
