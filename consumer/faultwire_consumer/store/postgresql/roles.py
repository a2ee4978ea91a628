"""The SQL by which a database's administrator keeps its roles apart, as ``faultwire db roles`` prints it."""

from importlib.resources import files


def read_roles() -> str:
    """Return statements for psql; all of them are one transaction, and may be run again."""
    return (files(__package__) / "roles.sql").read_text()
