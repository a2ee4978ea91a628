"""Addresses of links that set a password."""

from urllib.parse import urlencode

_ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - what is listened on, not a place to go to


def invitation_link(root: str, secret: str) -> str:
    """Return the address that an invited person opens.

    Args:
        root: where people reach the worker's page.
        secret: what the link holds. It stands in the query, which no log of the worker's has.
    """
    return f"{root.rstrip('/')}/invitation?{urlencode({'link': secret})}"


def page_root(public_url: str | None, *, host: str, port: int, is_encrypted: bool = False) -> str:
    """Return where people reach the page: the public address, else the worker's own."""
    if public_url is not None:
        return public_url
    name = "localhost" if host in _ANY_ADDRESS else f"[{host}]" if ":" in host else host
    return f"{'https' if is_encrypted else 'http'}://{name}:{port}"
