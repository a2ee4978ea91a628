"""Acting as the owner of faultwire's schema: what a member of that role makes is its own otherwise.

Then the default privileges of the owner would not hold for it, and no function of the owner could drop it.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from faultwire_consumer.store.schema.events import SCHEMA

_OWNER: Final = text(f"""
SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace
WHERE nspname = '{SCHEMA}' AND pg_get_userbyid(nspowner) <> current_user AND pg_has_role(nspowner, 'USAGE')
""")  # noqa: S608 - our own name


def owner_statements(connection: Connection) -> Sequence[str]:
    """Return what has this role act as the schema's owner until the transaction ends; none if it may not."""
    return [f"SET LOCAL ROLE {row[0]}" for row in connection.execute(_OWNER)]


def act_as_owner(connection: Connection) -> None:
    """Act as the schema's owner until the transaction ends, if this role may."""
    for statement in owner_statements(connection):
        connection.execute(text(statement))
