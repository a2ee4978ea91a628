"""Every page there is, in one list: whoever adds a page adds it here, and every walk goes through it."""

from typing import Final

from msgspec import Struct


class Place(Struct, frozen=True):
    """A page to look at: its name as a file's, its path with fields of a `filling.Site`, and its status."""

    name: str
    path: str
    status: int = 200
    is_open: bool = False
    """It is for who has not signed in."""


PAGES: Final = (
    Place("incidents", "/"),
    Place("incidents-query", "/?query=severity%3A%3E%3Dlow&view=all"),
    Place("incidents-none", "/?query=%22nowhere%20at%20all%22"),
    Place("incidents-wrong", "/?query=service:a%20severty:%3Cb%3E", status=400),
    Place("incident", "/incidents/{incident}"),
    Place("incident-absurd", "/incidents/{absurd}"),
    Place("event", "/e/{event}"),
    Place("event-absurd", "/e/{absurd_event}"),
    Place("event-long", "/e/{long_event}"),
    Place("dead-letters", "/dead-letters"),
    Place("dead-letter", "/dead-letters/{letter}"),
    Place("keys", "/keys"),
    Place("api", "/api/docs"),
    Place("missing", "/no-such-page", status=404),
    Place("missing-incident", "/incidents/INC-999999", status=404),
    Place("sign-in", "/sign-in", is_open=True),
    Place("invitation", "/invitation?link={link}", is_open=True),
)

NO_PAGES: Final = (
    "/static/{name}",
    "/incidents",  # these two lead on to the list
    "/e",
    "/sign-in/provider",  # and these to the organisation's page, and back from it
    "/sign-in/provider/callback",
)
"""Routes that give no page of their own."""
