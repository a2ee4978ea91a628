"""`faultwire silences` against a stub of the API: what is sent, and what is said."""

import json
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run
from faultwire_consumer.domain.silence.weekly import Weekday
from faultwire_consumer.domain.silence.window_text import parse_window

pytestmark = pytest.mark.may_block("commands are synchronous")

SILENCE: dict[str, Any] = {
    "id": 3, "state": "active", "changes_at": "2026-11-23T13:00:00Z", "where": {"service": ["bill*"]},
    "weekly": [], "described": "service bill*", "starts_at": "2026-11-23T12:00:00Z",
    "ends_at": "2026-11-23T13:00:00Z", "also_critical": False, "author": "ana", "comment": "deploy\x1b[2J",
    "created_at": "2026-11-23T12:00:00Z", "ended_at": None, "ended_by": None, "hits": 7, "last_hit_at": None,
}  # fmt: skip


def test_a_silence_is_asked_for_as_the_options_say(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer("silences", {"outcome": "created", "silence": SILENCE})
    command = ["silences", "create", "--service", "bill*", "--service", "shop", "--severity", "high"]
    command += ["--tag", "region=eu-*", "--tag", "region=us", "--window", "mon-fri 22:00-06:00 Europe/Berlin"]
    command += ["--for", "2h", "--from", "2026-11-24T00:00:00Z", "--comment", "deploy", "--also-critical"]
    assert run([*command, "--actor", "ana"]) == 0
    ((method, path, body),) = stub.asked
    assert (method, path) == ("POST", "/api/v1/silences")
    days = ["monday", "tuesday", "wednesday", "thursday", "friday"]
    assert body == {
        "where": {"service": ["bill*", "shop"], "severity": ["high"], "tags": {"region": ["eu-*", "us"]}},
        "comment": "deploy",
        "starts_at": "2026-11-24T00:00:00+00:00",
        "ends_at": None,
        "for_seconds": 7200,
        "weekly": [{"weekdays": days, "start": "22:00", "end": "06:00", "zone": "Europe/Berlin"}],
        "also_critical": True,
        "dry_run": False,
        "actor": "ana",
    }
    assert capsys.readouterr().err == ("silence 3 is active: service bill*, until 2026-11-23T13:00:00Z\n")


def test_silences_are_ended_and_resumed_with_a_note(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer("silences/3/end", {"outcome": "ended", "silence": SILENCE | {"state": "ended"}})
    stub.answer("silences/3/resume", {"outcome": "unchanged", "silence": SILENCE})
    assert run(["silences", "end", "3", "--note", "through", "--actor", "ben"]) == 0
    assert run(["silences", "resume", "3"]) == 0
    assert stub.asked[0][2] == {"note": "through", "actor": "ben"}
    assert capsys.readouterr().err == (
        "silence 3 is ended; it hid 7 notifications\nsilence 3 is active already\n"
    )


def test_a_silence_is_shown_with_what_it_hid_and_nothing_that_steers_a_terminal(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    hit = {"first_at": "2026-11-23T12:00:00Z", "last_at": "2026-11-23T12:00:00Z"}
    hidden = [
        hit | {"incident_id": "INC-4", "title": "boom", "notifications": 5},
        hit | {"incident_id": None, "title": None, "notifications": 2},
    ]
    done = {"at": "2026-11-23T12:00:00Z", "action": "created", "actor": "ana", "note": "deploy"}
    stub.answer("silences/3", SILENCE | {"hidden": hidden, "history": [done]})
    assert run(["silences", "show", "3"]) == 0
    shown = capsys.readouterr().out
    for text in ("service bill*", "INC-4  boom", "2  all others", "created by ana: deploy"):
        assert text in shown
    assert "\x1b[2J" not in shown


def test_silences_are_listed_by_phase(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer("silences", {"silences": [SILENCE], "next_cursor": None})
    assert run(["silences", "list", "--phase", "current", "--phase", "coming"]) == 0
    assert stub.queries("silences") == [{"phase": ["current", "coming"], "limit": ["50"]}]
    assert capsys.readouterr().out.splitlines()[1].split("\t")[:2] == ["3", "active"]
    assert run(["silences", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["silences"][0]["hits"] == 7


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tag", "region"], "--tag: region: a name and a pattern"),
        (["--window", "mon-fri"], "--window: days, times and a zone"),
        (["--window", "xyz 22:00-06:00"], "--window: 'xyz' is not a day"),
        (["--window", "mon 22-06"], "--window: 22-06 is not a span of the clock"),
        (["--window", "mon 22:00-06:00 Mars"], "--window: Mars is not a zone"),
        (["--for", "soon"], "--for: "),
        (["--until", "2h"], "--until: a time"),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_is_asked(
    stub: ApiStub, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert run(["silences", "create", "--comment", "x", "--service", "a", *options]) == 2
    assert told in capsys.readouterr().err
    assert stub.asked == []


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("daily 01:00-02:00", ()),
        ("sat,sun 01:00-02:00 UTC", (Weekday.SATURDAY, Weekday.SUNDAY)),
        ("Fri-Mon 01:00-02:00", (Weekday.MONDAY, Weekday.FRIDAY, Weekday.SATURDAY, Weekday.SUNDAY)),
        ("tuesday 01:00-02:00", (Weekday.TUESDAY,)),
    ],
)
def test_days_of_a_window_are_read_as_people_write_them(text: str, days: tuple[Weekday, ...]) -> None:
    window = parse_window(text)
    assert (window.weekdays, window.start, window.end, window.zone) == (days, "01:00", "02:00", "UTC")
