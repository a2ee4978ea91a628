"""Every page there is, in one list: whoever adds a page adds it here, and every walk goes through it."""

from typing import Final

from msgspec import Struct


class Place(Struct, frozen=True):
    """A page to look at: its name, its path with fields of a `filling.Site`, and how it is come to."""

    name: str
    path: str
    status: int = 200
    presses: tuple[str, ...] = ()
    """Selectors of what is pressed there, one after the other; the last leads to the page that is meant."""
    needs: str = ""
    """A field that the site has to have, though the path does not name it."""
    is_open: bool = False
    """It is for who has not signed in."""
    is_closed: bool = False
    """It stands only where people sign in."""


_CHOSEN: Final = "li[data-incident] input[type=checkbox]"
_LETTER: Final = "main input[name=id]"

PAGES: Final = (
    Place("incidents", "/"),
    Place("incidents-query", "/?query=severity%3A%3E%3Dlow"),
    Place("incidents-none", "/?query=%22nowhere%20at%20all%22"),
    Place("incidents-wrong", "/?query=service:a%20severty:%3Cb%3E", status=400),
    Place(
        "incidents-preview",
        "/?query=severity%3A%3E%3Dlow%20-incident:{incident}",
        presses=(_CHOSEN, "input[name=dry_run]", ".bulk [data-key=a]"),
    ),
    Place("incident", "/incidents/{incident}"),
    Place("incident-absurd", "/incidents/{absurd}"),
    Place("event", "/e/{event}"),
    Place("event-absurd", "/e/{absurd_event}"),
    Place("event-long", "/e/{long_event}"),
    Place("comparison", "/e/{event}/compare?other={absurd}"),
    Place("releases", "/releases"),
    Place("told", "/told"),
    Place("told-one", "/told/{notification}"),
    Place("rules", "/rules"),
    Place("digest", "/rules/digest?rule=medium"),
    Place("rehearsal", "/rules/rehearsal"),
    Place("silence", "/silences/{silence}"),
    Place("dead-letters", "/dead-letters"),
    Place("dead-letter", "/dead-letters/{letter}"),
    Place(
        "dead-letters-preview",
        "/dead-letters",
        presses=(_LETTER, "#letters button[name=dry_run]"),
        needs="letter",
    ),
    Place("producers", "/producers"),
    Place("producer", "/producers/{service}"),
    Place("health", "/health"),
    Place("account", "/account"),
    Place("access", "/access", is_closed=True),
    Place("tokens", "/access/tokens", is_closed=True),
    Place("audit", "/access/audit", is_closed=True),
    Place("keys", "/keys"),
    Place("api", "/api/docs"),
    Place("missing", "/no-such-page", status=404),
    Place("missing-incident", "/incidents/INC-999999", status=404),
    Place("sign-in", "/sign-in", is_open=True, is_closed=True),
    Place("invitation", "/invitation?link={link}", is_open=True, is_closed=True),
)

NO_PAGES: Final = (
    "/static/{name}",
    "/incidents",  # these two lead on to the list
    "/e",
    "/incidents/{id}/new-issue",  # this one to the tracker
    "/sign-in/provider",  # and these to the organisation's page, and back from it
    "/sign-in/provider/callback",
)
"""Routes that give no page of their own."""
