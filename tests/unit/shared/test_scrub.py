"""An event without its secrets: by the names of its fields, in every text, whatever was put into it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.secret import CANARY, ORDINARY, PLANTED

from faultwire_shared import codec
from faultwire_shared.event import Category, ErrorSeverity, Event, ExceptionInfo, Frame, Sdk
from faultwire_shared.scrub import Scrubber
from faultwire_shared.scrub.value import SCRUBBED

SCRUBBER = Scrubber()
DENIED = [
    "password",
    "passwd",
    "secret",
    "api_key",
    "apikey",
    "auth",
    "credentials",
    "mysql_pwd",
    "privatekey",
    "private_key",
    "token",
    "session",
    "csrftoken",
    "sessionid",
    "x_api_key",
    "X-Api-Key",
    "Set-Cookie",
    "cookie",
    "Authorization",
    "Proxy-Authorization",
    "HTTP_AUTHORIZATION",
    "cvv",
    "_csrf",
    "X-Forwarded-For",
    "REMOTE_ADDR",
    "ip_address",
    "accessToken",
    "dbPassword",
    "user.password",
    "new-password",
    "password2",
    "XSRF-TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "card_number",
    "connect.sid",
    "PHPSESSID",
    "client_secret",
    "user.auth",
    "user[auth]",
    "pass\u00adword",
    "p\u00e4ssword",
    "p\uff41ssword",
]
ALLOWED = [
    "monkey",
    "author",
    "keyboard",
    "primary_key",
    "token_count",
    "max_tokens",
    "passenger",
    "bypass",
    "secretary",
    "session_count",
    "zip",
    "key",
    "path",
    "cookie_consent",
    "order",
    "shipping",
    "script",
    "hostname",
]


def event(**fields: Any) -> Event:
    given: dict[str, Any] = {
        "id": "error_20261123_k3v9x2m7q4w8r1t6",
        "schema_version": 1,
        "occurred_at": datetime(2026, 11, 23, 10, tzinfo=UTC),
        "severity": ErrorSeverity.HIGH,
        "service": "shop",
        "message": "refused",
    }
    return Event(**(given | fields))


def text_of(scrubbed: Event) -> str:
    return codec.encode(scrubbed).decode()


@pytest.mark.parametrize("key", DENIED)
def test_what_stands_under_a_denied_name_goes(key: str) -> None:
    scrubbed = SCRUBBER.scrub(
        event(context={"deep": [{key: CANARY, "order": 17}]}, user={key: {"in": CANARY}})
    )
    assert CANARY not in text_of(scrubbed)
    assert scrubbed.context == {"deep": [{key: SCRUBBED, "order": 17}]}
    assert scrubbed.scrubbed


@pytest.mark.parametrize("key", ALLOWED)
def test_a_name_that_only_looks_alike_keeps_what_stands_under_it(key: str) -> None:
    assert SCRUBBER.scrub(event(context={key: "x"})).context == {key: "x"}


def test_names_are_denied_and_allowed_by_wish() -> None:
    scrubber = Scrubber(deny=["Shoe-Size"], allow=["sessionId"])
    scrubbed = scrubber.scrub(event(context={"shoe_size": 43, "session_id": "x", "token": "y"}))
    assert scrubbed.context == {"shoe_size": SCRUBBED, "session_id": "x", "token": SCRUBBED}
    assert scrubber.scrub_text("shoeSize=43 sessionid=x") == f"shoeSize={SCRUBBED} sessionid=x"


def test_addresses_of_people_stay_by_wish_and_secrets_go_all_the_same() -> None:
    context = {"REMOTE_ADDR": "203.0.113.9", "X-Forwarded-For": "203.0.113.9", "password": "x"}
    assert "203" not in text_of(SCRUBBER.scrub(event(context=context)))
    kept = Scrubber(send_default_pii=True).scrub(event(context=context)).context
    assert kept == context | {"password": SCRUBBED}


def test_that_there_was_no_secret_is_told() -> None:
    context = {"password": None, "token": "", "auth": False}
    assert SCRUBBER.scrub(event(context=context)).context == context


@pytest.mark.parametrize(
    "context",
    [
        {"headers": [["Authorization", CANARY], ["Accept", "*"]]},
        {"headers": [("cookie", CANARY)]},
        {"headers": ((b"authorization", CANARY.encode()),)},
        {"fields": [{"name": "password", "value": CANARY}]},
        {"fields": [{"Key": "api_key", "Value": CANARY}]},
        {"errors": [{"loc": ["body", "password"], "input": CANARY, "msg": "too short"}]},
        {"argv": ["mysql", "--password", CANARY]},
        {"argv": ["mysql", f"--password={CANARY}"]},
        {"parts": ["password=", CANARY]},
        {"lines": ["-----BEGIN PRIVATE KEY-----", CANARY, CANARY, "-----END PRIVATE KEY-----"]},
        {"a": "-----BEGIN PRIVATE KEY-----", "b": CANARY},
        {f"password={CANARY}": 1},
        {"nested": {f"https://u:{CANARY}@host": "x"}},
        {"body": '{"user": "ann", "password": "' + CANARY + '"}'},
        {"query": f"user=ann&password={CANARY}"},
        {"bytes": f"password={CANARY}".encode()},
        {"password": CANARY.encode()},
        {"pin": 4711, "x": CANARY[:0]},
    ],
    ids=repr,
)
def test_a_secret_that_is_spread_over_a_structure_goes(context: dict[str, Any]) -> None:
    text = text_of(SCRUBBER.scrub(event(context=context)))
    assert CANARY not in text
    assert "4711" not in text
    assert SCRUBBED in text


@pytest.mark.parametrize("card", [4111111111111111, 4111111111111111.0, "4111 1111 1111 1111"])
def test_a_cards_number_goes_as_a_number_too(card: object) -> None:
    assert SCRUBBER.scrub(event(context={"order": card})).context == {"order": SCRUBBED}


class Talkative:
    """Says its secret when it is shown."""

    def __repr__(self) -> str:
        return f"Talkative(password={CANARY!r})"


class Raising:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


def test_what_a_processor_put_in_is_made_json_first() -> None:
    loop: dict[str, Any] = {"password": CANARY}
    loop["loop"] = loop
    scrubbed = SCRUBBER.scrub(event(context={"a": Talkative(), "b": Raising(), "c": loop, "d": (1, {2})}))
    assert CANARY not in text_of(scrubbed)
    assert "<Raising>" in text_of(scrubbed)


def test_of_an_event_that_cannot_be_read_only_the_kind_of_error_is_left() -> None:
    scrubbed = SCRUBBER.scrub(event(message=CANARY, exceptions=[object()], category=Category.EXTERNAL))
    assert (scrubbed.message, scrubbed.category, scrubbed.truncated) == (
        SCRUBBED,
        Category.EXTERNAL,
        ["scrubbed"],
    )
    assert scrubbed.scrubbed


def planted_event(text: str, *, key: str = "key") -> Event:
    """An event with the text in every field that holds one."""
    frame = Frame(file=text, module=text, qualname=text, context=[text])
    inner = ExceptionInfo(
        type=text, module=text, value=text, attributes={"x": text}, notes=[text], frames=[frame]
    )
    return event(
        severity_text=text,
        code=text,
        message=text,
        template=text,
        environment=text,
        release=text,
        host=text,
        exceptions=[inner, ExceptionInfo(type="G", members=[[inner]])],
        context={"x": text, "y": [text, {"z": text}], key: text},
        tags={"x": text},
        user={"name": text},
        request={"url": text, "headers": {"Referer": text}},
        transaction=text,
        breadcrumbs=[{"message": text, "data": {"x": text}}],
        trace_id=text,
        span_id=text,
        fingerprint=[text],
        truncated=[f"context.{text}"],
        sdk=Sdk(name=text, version=text),
    )


@given(st.sampled_from(PLANTED))
def test_no_secret_survives_in_any_field(planted: Any) -> None:
    # A program's line keeps what is no literal, and has a test of its own.
    scrubbed = SCRUBBER.scrub(planted_event(planted.text, key=planted.text))
    without = msgspec.structs.replace(
        scrubbed, exceptions=[_without_source(one) for one in scrubbed.exceptions]
    )
    assert planted.secret not in text_of(without)
    document = msgspec.json.decode(codec.encode(planted_event(planted.text, key=planted.text)))
    assert planted.secret not in msgspec.json.encode(SCRUBBER.scrub_document(document)).decode()


def _without_source(one: ExceptionInfo) -> ExceptionInfo:
    frames = [msgspec.structs.replace(frame, context=[]) for frame in one.frames]
    members = [[_without_source(each) for each in chain] for chain in one.members]
    return msgspec.structs.replace(one, frames=frames, members=members)


@given(st.sampled_from(ORDINARY))
def test_an_ordinary_event_only_gets_its_mark(text: str) -> None:
    before = planted_event(text)
    assert SCRUBBER.scrub(before) == msgspec.structs.replace(before, scrubbed=True)
    assert not before.scrubbed


def test_an_event_is_found_and_counted_by_what_it_was() -> None:
    document = msgspec.json.decode(codec.encode(event(service="token=x", producer_id="p", sequence=3)))
    assert SCRUBBER.scrub_document(document) == document | {"scrubbed": True}


def test_fields_that_this_version_does_not_know_are_scrubbed_too() -> None:
    document = {"id": "x", "extra": {"password": CANARY}, "session": CANARY, "note": f"token={CANARY}"}
    assert CANARY not in repr(SCRUBBER.scrub_document(document))


@given(
    st.recursive(
        st.none() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=30,
    )
)
def test_any_json_is_taken(value: Any) -> None:
    scrubbed = SCRUBBER.scrub(event(context={"x": value}))
    assert codec.decode(codec.encode(scrubbed)).scrubbed


def test_deep_nesting_ends_in_the_mark() -> None:
    deep: Any = CANARY
    for _ in range(500):
        deep = {"x": deep}
    assert CANARY not in text_of(SCRUBBER.scrub(event(context=deep)))


@pytest.mark.parametrize(
    "above", ["if not password:", "def token_of(self):", "class Secret:", "password != ("]
)
def test_a_line_of_source_that_only_mentions_a_secret_hides_nothing_below_it(above: str) -> None:
    lines = [above, "    raise Missing(user)"]
    frame = SCRUBBER.scrub_frames([{"context": lines}])[0]
    assert frame["context"] == lines


@pytest.mark.parametrize("above", ["password = (", '"api_key":', "token: str | None = \\", "x.secret ="])
def test_a_literal_on_the_line_below_its_name_is_scrubbed(above: str) -> None:
    lines = [above, f"    b'{CANARY}'", f'    "{CANARY}",', "    other,", "    'kept',"]
    frame = SCRUBBER.scrub_frames([{"context": lines}])[0]
    assert frame["context"] == [above, SCRUBBED, SCRUBBED, "    other,", "    'kept',"]


def test_a_frame_is_read_once_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scrubber = Scrubber()
    shared = [Frame(qualname="charge", context=[f'password = "{CANARY}"']), Frame(context=["pay()"])]
    first = scrubber.scrub(event(exceptions=[ExceptionInfo(type="E", frames=shared)]))
    monkeypatch.setattr(scrubber._tree, "source", lambda line: pytest.fail(f"{line} was read again"))
    again = scrubber.scrub(event(exceptions=[ExceptionInfo(type="E", frames=list(shared))]))
    assert again.exceptions == first.exceptions
    assert CANARY not in text_of(again)
