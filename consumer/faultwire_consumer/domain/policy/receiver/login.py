"""A receiver's login over HTTP: a token, or a user with a password."""

from msgspec import Struct

from faultwire_consumer.domain.policy.secret import SecretSource, read_secret
from faultwire_consumer.domain.policy.table import Table


class Login(Struct, frozen=True, kw_only=True):
    """A token, or a user with a password; neither where the address is enough."""

    token: SecretSource | None = None
    username: str | None = None
    password: SecretSource | None = None


def read_login(table: Table) -> Login:
    """Read ``token``, or ``username`` and ``password``; the secrets may be in files.

    Raises:
        PolicyError: something of it is missing, or too much.
    """
    token, username = read_secret(table, "token"), table.text("username")
    password = read_secret(table, "password")
    if token is not None and (username is not None or password is not None):
        raise table.error(token.key, "a token, or username and password, not both")
    if username is not None and (":" in username or not username.isprintable()):
        raise table.error("username", "a username holds no colon and is printable")
    if username is not None and password is None:
        raise table.missing("password", "username needs password = or password_file = next to it")
    if password is not None and username is None:
        raise table.missing("username", f"{password.key} needs username = next to it")
    return Login(token=token, username=username, password=password)
