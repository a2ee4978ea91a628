"""The state of the policy in use: of which file, since when, and what is wrong with that file as it is."""

from datetime import datetime

from msgspec import Struct


class PolicyStatus(Struct, frozen=True, kw_only=True):
    """Origin of the policy in use; ``wrong`` says why a later reading changed nothing."""

    file: str | None
    """None for the policy that is shipped."""
    read_at: datetime
    """Time at which the policy in use was read."""
    wrong: str | None = None
    """What is wrong with the file, or a secret's, in a line with its place; None while all is well."""
    wrong_since: datetime | None = None
