"""Links to lists: a query in the operators' language as the page's address of what it finds."""

from urllib.parse import quote, urlencode

from faultwire_consumer.domain.query.query import Query, print_query

_UNLINKED = ("", ".", "..")
"""Names that a browser would take for something else in an address."""


def list_path(query: Query) -> str:
    """Return the address of the incidents that a query finds."""
    return f"/?{urlencode({'query': print_query(query)})}"


def named_path(folder: str, name: str) -> str | None:
    """Return the address of a thing by its name, whatever is in that; None where no address can say it."""
    return None if name in _UNLINKED else f"{folder}/{quote(name, safe='')}"


def releases_path(service: str) -> str | None:
    """Return the address of a service's releases; None where its name cannot be asked for."""
    may_be_asked = service.isprintable() and service.strip()
    return f"/releases?{urlencode({'service': service})}" if may_be_asked else None
