"""What holds nothing to scrub is told from its bytes, in any spelling; what may hold some is looked at."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.tools.secret import CARDS, ORDINARY, PLANTED, TOKENS

from faultwire_consumer.ingest.read.inert import KNOWN, QUICK, InertCheck
from faultwire_shared.scrub import Scrubber
from faultwire_shared.scrub.key import SECRET_NAMES

SCRUBBER: Final = Scrubber()
QUICK_TEXT: Final = st.text(alphabet=QUICK.decode(), max_size=60)


def check() -> InertCheck:
    return InertCheck(SCRUBBER.is_inert)


def counted() -> tuple[list[str], InertCheck]:
    """A check that says of everything that it is inert, and what it was asked about."""
    asked: list[str] = []

    def is_inert(text: str) -> bool:
        asked.append(text)
        return True

    return asked, InertCheck(is_inert)


def spelled(text: str) -> list[str]:
    """A string's JSON as it is, in ASCII, and with each character as its number."""
    units = text.encode("utf-16-be")
    pairs = zip(units[::2], units[1::2], strict=True)
    numbered = "".join(f"\\u{high:02x}{low:02X}" for high, low in pairs)
    return [json.dumps(text, ensure_ascii=False), json.dumps(text), f'"{numbered}"']


@pytest.mark.parametrize("name", sorted(SECRET_NAMES))
def test_a_name_of_every_list_is_seen_in_any_spelling_and_place(name: str) -> None:
    assert not SCRUBBER.is_inert(name)
    for one in (name, name.upper(), f"my.{name}", f"{name}7", f"{name[0]} {name[1:]}"):
        for text in spelled(one):
            for document in (f'{{{text}:"x"}}', f'{{"a":{{"b" : [{text}, "x"]}}}}', f'{{"a":{text}}}'):
                assert check().holds_nothing(document.encode()) == SCRUBBER.is_inert(one), document


def test_a_text_of_every_kind_of_secret_is_seen_in_any_spelling_and_place() -> None:
    for planted in [each.text for each in PLANTED] + [*TOKENS, *CARDS]:
        for text in spelled(planted):
            for document in (f'{{"a":{text}}}', f'{{"a":[1,{text}]}}', f'{{{text}:null,"b":"c"}}'):
                assert not check().holds_nothing(document.encode()), document


def test_ordinary_texts_are_told_though_they_look_suspicious() -> None:
    for ordinary in ORDINARY:
        for text in spelled(ordinary):
            document = f'{{"order":{text},"basket":["apples",{text}]}}'
            assert check().holds_nothing(document.encode()) == SCRUBBER.is_inert(ordinary), ordinary
    assert sum(map(SCRUBBER.is_inert, ORDINARY)) > len(ORDINARY) * 0.8


@pytest.mark.parametrize(
    "number",
    [
        *("4111111111111111", "4111111111111111.0", "4.111111111111111e15", "67e12", "4111111111111110.9999"),
        *("1e400", "9" * 5000, "1E+2", "41111111111111110e-1"),
    ],
)
@pytest.mark.parametrize(
    "around", ['{{"a":{}}}', '{{"a":[1, {}]}}', '{{"a":"b","c":{},"d":"e"}}', '{{"a":"",\n"b" :\t{}\n}}']
)
def test_a_number_that_is_a_card_or_none_that_every_reader_reads_is_seen(number: str, around: str) -> None:
    assert not check().holds_nothing(around.format(number).encode())


def test_ordinary_numbers_are_told() -> None:
    numbers = [
        0,
        -17,
        1.5,
        1732370400123,
        1732370400.123456,
        0.1234567890123456,
        1732370400123456789,
        None,
        True,
    ]
    assert check().holds_nothing(json.dumps({"numbers": numbers}).encode())


@pytest.mark.parametrize(
    ("given", "is_inert"),
    [
        ({"a": [["b"]]}, True),
        ({"a": [{"b": {}}] * 100}, True),
        (json.loads("[" * 57 + "]" * 57), True),
        (json.loads("[" * 61 + "]" * 61), False),
        (json.loads('{"a":' * 61 + "1" + "}" * 61), False),
        ({"a": "[{" * 200}, True),
        (["]" * 70, *json.loads("[" * 61 + "]" * 61)], False),
    ],
)
def test_what_is_nested_too_deeply_to_be_kept_is_seen(given: Any, is_inert: bool) -> None:
    again = check()
    for _ in range(2):  # the second time from memory
        assert again.holds_nothing(json.dumps(given, separators=(",", ":")).encode()) is is_inert


@pytest.mark.parametrize(
    "given",
    [
        ["--pw", "x"],
        ["api key:", "x"],
        ["bpin", "x"],
        ["-----BEGIN PRIVATE KEY-----", "x"],
        ["auth: str = (", "'x'"],
        {"name": "Your Api Key", "value": "x"},
        {"auth\\": "x"},
        {"a": "x" * 1024 + " 4111111"},
    ],
)
def test_what_makes_its_neighbour_a_secret_or_is_one_cut_short_is_seen(given: Any) -> None:
    assert not check().holds_nothing(json.dumps(given).encode())


def test_a_string_that_begins_with_a_comma_is_seen_whole() -> None:
    one = InertCheck(lambda text: text != ",shop")
    assert one.holds_nothing(b'{"a":"shop","c":"d"}')
    assert not one.holds_nothing(b'{"a":",shop"}')


def test_id_and_service_are_kept_whatever_they_look_like_if_they_stand_nowhere_else() -> None:
    for name in ("auth", "password"):
        once = b'{"id":"%b","service":"auth","message":"refused"}' % name.encode()
        for _ in range(2):
            one = check()
            assert one.holds_nothing(once.replace(b"auth", b"shop"), name, "shop")
            assert one.holds_nothing(b'{"service":"auth"}', "", "auth")
            assert not one.holds_nothing(b'{"service":"auth","tags":["auth","x"]}', "", "auth")
            assert not one.holds_nothing(b'{"service":"auth","auth":"x"}', "", "auth")
            assert not one.holds_nothing(b'{"service":"\\u0061uth","a":["auth","x"]}', "", "auth")


@given(QUICK_TEXT)
@example("2026-11-23T10:00:00.123Z")
@example("3f2504e0-4f89-11d3-9a0c-0305e82c3301")
def test_what_is_told_at_a_glance_is_what_the_scrubber_would_tell(text: str) -> None:
    document = json.dumps({"a": text}).encode()
    assert SCRUBBER.is_inert(text) or not check().holds_nothing(document)


def test_no_name_of_a_list_can_be_made_of_what_is_told_at_a_glance() -> None:
    letters = {*QUICK.decode().lower()}
    assert [name for name in SECRET_NAMES if {*name} <= letters] == []


def test_what_was_told_once_is_not_asked_again_within_a_bound() -> None:
    asked, one = counted()
    for _ in range(3):
        assert one.holds_nothing(b'{"message":"refused","step":["pay","pay"]}')
    assert sorted(asked) == sorted({*asked})
    for number in range(3 * KNOWN):
        one.holds_nothing(b'{"message":"step %x of xyz"}' % number)
    assert max(len(one._parts), len(one._groups)) <= KNOWN


@pytest.mark.parametrize(
    "shape",
    [
        lambda count: '"' + '\\"' * count + '"',
        lambda count: '"' + "\\\\" * count + '"',
        lambda count: "[" + ",".join(f'"{number:x}z"' for number in range(count)) + "]",
        lambda count: "[" + ",".join(map(str, range(count))) + "]",
        lambda count: "[" * 500 + "]" * 500 + "," + '"[{"' * count,
        lambda count: '",' * count,
    ],
)
def test_a_hostile_body_is_asked_about_within_a_budget(shape: Callable[[int], str]) -> None:
    """Each call costs by its text's length alone, so their number decides."""
    asked, one = counted()
    one.holds_nothing(shape(50_000).encode())
    assert len(asked) < 60
