"""Secrets in texts: known by the name before them, or by their own looks; everything else stays."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.secret import ASSIGNMENTS, CANARY, ORDINARY, PLANTED, TOKENS, Planted

from faultwire_shared.event import STRING_CHARACTERS
from faultwire_shared.scrub import Scrubber
from faultwire_shared.scrub.value import SCRUBBED, is_card

SCRUBBER = Scrubber()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.text[:60])
def test_a_secret_in_a_text_is_taken_out(planted: Planted) -> None:
    scrubbed = SCRUBBER.scrub_text(f"before it all\n{planted.text}\nbehind it all")
    assert planted.secret not in scrubbed
    assert SCRUBBED in scrubbed


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.text[:60])
def test_a_secret_in_a_text_that_was_written_as_a_literal_is_taken_out(planted: Planted) -> None:
    for text in (
        repr(planted.text),
        json.dumps(planted.text),
        f"KeyError({planted.text!r})",
        repr(repr(planted.text)),
    ):
        assert planted.secret not in SCRUBBER.scrub_text(text)
        assert planted.secret not in SCRUBBER.scrub_text(f"{{'body': {text}}}")


def test_what_stands_around_a_secret_stays() -> None:
    text = (
        f"POST /login?user=ann&password={CANARY}&next=/home by postgres://shop:{CANARY}@db:5432/shop failed"
    )
    assert SCRUBBER.scrub_text(text) == text.replace(CANARY, SCRUBBED)


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert SCRUBBER.scrub_text(text) == text


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:12])
@pytest.mark.parametrize("around", ["{}", "({})", '"{}"', "x={}", "é{}\n", "/{}/", "a,{},b", "<{}>"])
def test_a_token_is_known_whatever_stands_around_it(token: str, around: str) -> None:
    assert token not in SCRUBBER.scrub_text(around.format(token))


# An @ that nobody escaped looks like the end of the password as long as the real one has been cut off.
CUT = [
    text for text in ASSIGNMENTS if "assw" in text.partition("{}")[0] or ("u:" in text and "@ss" not in text)
]


@pytest.mark.parametrize("text", CUT)
def test_a_secret_that_was_cut_at_the_texts_end_is_taken_out(text: str) -> None:
    whole = text.format(CANARY)
    for characters in range(2, len(CANARY) + 1):
        cut = whole[: whole.index(CANARY) + characters]
        assert CANARY[:characters] not in SCRUBBER.scrub_text(cut)


def test_a_card_that_was_cut_at_the_texts_end_is_taken_out() -> None:
    text = ("x" * STRING_CHARACTERS)[: STRING_CHARACTERS - 11] + " 4111111111"
    assert SCRUBBER.scrub_text(text).endswith(f" {SCRUBBED}")


@given(st.lists(st.sampled_from([planted.text for planted in PLANTED] + list(ORDINARY))))
def test_scrubbing_twice_changes_nothing_more(texts: list[str]) -> None:
    once = SCRUBBER.scrub_text("\n".join(texts))
    assert SCRUBBER.scrub_text(once) == once


@given(st.text(), st.sampled_from(PLANTED), st.text())
def test_any_text_is_taken(before: str, planted: Planted, behind: str) -> None:
    assert isinstance(SCRUBBER.scrub_text(before + planted.text + behind), str)


@given(st.text(alphabet="ab=:;,&'\"\\<>/[](){}%- \n"))
def test_signs_without_names_are_no_secrets(text: str) -> None:
    assert SCRUBBED not in SCRUBBER.scrub_text(text)


def test_a_source_line_loses_its_literals_alone() -> None:
    tree = SCRUBBER._tree
    assert tree.source("login(user, password=settings.password)") == "login(user, password=settings.password)"
    assert tree.source("if token == expected_token:") == "if token == expected_token:"
    assert tree.source("def login(user: str, password: str) -> None:") == (
        "def login(user: str, password: str) -> None:"
    )
    for line in (
        f'password = "{CANARY}"',
        f"password: str = '{CANARY}'",
        f'os.environ["TOKEN"] = f"{CANARY}"',
        f'login(password=SecretStr("{CANARY}"))',
        f'credentials = {{"user": "ann", "key": "{CANARY}"}}',
        f'connect("host=db password={CANARY}")',
        f'get("https://example.com/?api_key={CANARY}")',
        f"login(password)  # password: {CANARY}",
    ):
        assert CANARY not in tree.source(line)


def test_a_card_is_known_by_its_check_digit_its_length_and_its_beginning() -> None:
    assert is_card("4111111111111111")
    assert not is_card("4111111111111112")
    assert not is_card("1111111111111117")
    assert not is_card("41111111111111111111")


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("RABBITMQ_DEFAULT_PASS=hunter2", "RABBITMQ_DEFAULT_PASS=[scrubbed]"),
        ("LDAP_BIND_PW: hunter2", "LDAP_BIND_PW: [scrubbed]"),
        ("bypass=on compass=north", "bypass=on compass=north"),
        (
            "POST https://api.telegram.org/bot123456789:AAabcdefghijklmnopqrstuvwxyz0123456/sendMessage",
            "POST https://api.telegram.org/bot[scrubbed]/sendMessage",
        ),
        (
            "[SQL: INSERT INTO users (mail, password) VALUES (?, ?)]\n[parameters: ('a', 'hunter2)')]\n(Back",
            "[SQL: INSERT INTO users (mail, password) VALUES (?, ?)]\n[parameters: [scrubbed]]\n(Back",
        ),
        (
            "[SQL: UPDATE users SET name=%s, password=%s] [parameters: [('a', 'hunter2'), ('b', 'hunter2')]]",
            "[SQL: UPDATE users SET name=%s, password=[scrubbed] [parameters: [scrubbed]]",
        ),
        (
            "[SQL: SELECT users.password FROM users WHERE users.id = ?] [parameters: (17,)]",
            "[SQL: SELECT users.password FROM users WHERE users.id = ?] [parameters: (17,)]",
        ),
    ],
)
def test_names_and_places_that_announce_a_secret(text: str, scrubbed: str) -> None:
    assert Scrubber().scrub_text(text) == scrubbed


def test_statements_are_read_once_however_many_there_are() -> None:
    text = "[SQL: INSERT INTO t (" + "a" * 2_000 + " [parameters: (" * 2_000
    assert Scrubber().scrub_text(text) == text
