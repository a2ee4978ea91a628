"""Settings of a provider at which people sign in, by OpenID Connect."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from faultwire_consumer.domain.setting.address import check_tls
from faultwire_consumer.domain.setting.proxy import RoleGroups, read_roles

_SCOPES: Final = "openid profile email"


class OidcSettings(BaseModel):
    """The part of a worker's configuration that names the provider."""

    oidc_issuer: str | None = None
    """The provider's address, letter by letter as it calls itself: https://id.example.com/realms/main."""
    oidc_client_id: str | None = None
    """The name under which the provider knows this worker."""
    oidc_client_secret: str | None = Field(default=None, repr=False)
    """What the worker shows the provider; none for a public client, which PKCE protects."""
    oidc_scopes: str = _SCOPES
    """What is asked for; some providers give groups only to who asks for ``groups``."""
    oidc_groups_claim: str = "groups"
    """The claim of the ID token with somebody's groups."""
    oidc_roles: Annotated[RoleGroups, NoDecode] = {}
    """Roles by groups, as ``{admin = ["sre"], operator = ["dev"]}``; nobody without one is let in."""

    @field_validator("oidc_issuer")
    @classmethod
    def _check_issuer(cls, value: str | None) -> str | None:
        if value is not None:
            check_tls(value)
        return value

    @field_validator("oidc_scopes")
    @classmethod
    def _check_scopes(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError(f"scopes are words with blanks between, openid among them: {_SCOPES}")
        return value

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _read_oidc_roles(cls, value: Any) -> Any:
        return read_roles(value)

    def check_oidc(self, *, public_url: str | None, is_login: bool) -> None:
        """Check that the parts make a whole, where there is a provider.

        Raises:
            ValueError: one is missing; the text says which.
        """
        if self.oidc_issuer is None:
            return
        if not is_login:
            raise ValueError('oidc_issuer is where people sign in: set access = "login" too')
        if not self.oidc_client_id:
            raise ValueError("oidc_issuer needs oidc_client_id, the name under which it knows this worker")
        if public_url is None:
            raise ValueError(
                "oidc_issuer needs public_url: the provider sends people back there, and nowhere else"
            )
        check_tls(public_url)
        if not self.oidc_roles:
            raise ValueError(
                'oidc_issuer needs oidc_roles, as { admin = ["sre"], operator = ["dev"] }: without it nobody '
                "who signs in there may do anything here"
            )
