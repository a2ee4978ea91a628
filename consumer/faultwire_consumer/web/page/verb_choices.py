"""The choices that the menus of verbs offer, for one incident or for many, as part/verbs.html takes them."""

from typing import Final

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTS, SENTENCES

TIMES: Final = ((3600, "1 hour"), (4 * 3600, "4 hours"), (86400, "1 day"), (7 * 86400, "1 week"))
"""Times that are offered, in seconds, with their names."""
WITHIN: Final = ((3600, "an hour"), (86400, "a day"), (7 * 86400, "a week"))
SHAPED: Final = frozenset(
    (
        *(Verb.ACKNOWLEDGE, Verb.RESOLVE, Verb.REOPEN, Verb.MUTE, Verb.UNMUTE),
        *(Verb.ASSIGN, Verb.UNASSIGN, Verb.COMMENT, Verb.MERGE, Verb.UNMERGE),
        *(Verb.LINK, Verb.UNLINK),
    )
)
"""The verbs that have a menu of their own; any other one has a form with a field for each argument."""


class VerbField(Struct, frozen=True):
    """An argument of a verb, for a form that knows nothing of it."""

    name: str
    label: str
    is_needed: bool
    is_flag: bool


class PlainForm(Struct, frozen=True):
    """A form of a verb without a menu of its own."""

    verb: Verb
    sentence: str
    fields: tuple[VerbField, ...]


class VerbChoices(Struct, frozen=True, kw_only=True):
    """Verbs that are offered, where they go to, and what their menus name."""

    path: str
    """The forms' address before the verb, as in ``/incidents/INC-5``."""
    version: int | None
    """The version that is shown, which another one meanwhile refuses; None for many incidents."""
    verbs: tuple[Verb, ...]
    main: Verb | None
    """The verb that comes next as a rule."""
    me: str
    """The name of who reads; empty where nobody signs in."""
    people: tuple[str, ...] = ()
    last_release: str | None = None
    environments: tuple[str, ...] = ()
    similar: tuple[tuple[str, str], ...] = ()
    """Incidents to merge with: their names and titles."""
    link: str | None = None
    """The address of its issue in a tracker."""
    link_text: str = ""
    new_issue: str | None = None
    """Where a new issue about it is opened; None where no tracker is set."""
    silence: str | None = None
    """The form of a silence, filled in with what is like it; None for many incidents."""

    @property
    def plain_forms(self) -> tuple[PlainForm, ...]:
        """Return the forms of offered verbs without a menu of their own."""
        return tuple(plain_form(verb) for verb in self.verbs if verb not in SHAPED)


def plain_form(verb: Verb) -> PlainForm:
    """Return a form that takes everything that a verb may be told."""
    fields = tuple(
        VerbField(field.name, field.name.replace("_", " "), field.required, field.type is bool)
        for field in msgspec.structs.fields(ARGUMENTS[verb])
    )
    return PlainForm(verb, SENTENCES[verb], fields)
