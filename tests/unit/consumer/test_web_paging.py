import base64
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.incident_name import KEY_MAX
from faultwire_consumer.store.contract.paging import BadCursorError, cut, decode_cursor, encode_cursor

moments = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the bounds are naive
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)


@given(moments, st.integers(0, KEY_MAX))
def test_a_cursor_says_again_what_it_was_given(moment: datetime, key: int) -> None:
    cursor = encode_cursor("incidents", moment, key)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    position = decode_cursor("incidents", cursor, int)
    assert (position.moment, position.key) == (moment, key)


@given(moments, names)
def test_a_cursor_of_another_list_is_refused(moment: datetime, key: str) -> None:
    cursor = encode_cursor("received_at", moment, key)
    assert decode_cursor("received_at", cursor, str).key == key
    with pytest.raises(BadCursorError):
        decode_cursor("occurred_at", cursor, str)
    with pytest.raises(BadCursorError):
        decode_cursor("received_at", cursor, int)


@given(st.one_of(st.text(), st.binary().map(lambda body: base64.urlsafe_b64encode(body).decode())))
def test_whatever_else_is_no_cursor(text: str) -> None:
    with pytest.raises(BadCursorError):
        decode_cursor("incidents", text, int)


@pytest.mark.parametrize(
    "body", [b'["incidents",1,-1]', b'["incidents",1,%d]' % 2**63, b'["incidents",999999999999999999,1]']
)
def test_a_forged_key_never_reaches_the_database(body: bytes) -> None:
    with pytest.raises(BadCursorError):
        decode_cursor("incidents", base64.urlsafe_b64encode(body).decode(), int)


def test_one_row_more_than_asked_for_makes_a_cursor() -> None:
    class Row:
        def __init__(self, key: int) -> None:
            self.at = datetime(2026, 11, 23, tzinfo=UTC)
            self.id = key

    rows = [Row(key) for key in (3, 2, 1)]
    page = cut(rows, limit=2, listing="incidents", moment="at", key="id")
    assert [row.id for row in page.rows] == [3, 2]
    assert page.next_cursor is not None
    assert decode_cursor("incidents", page.next_cursor, int).key == 2
    assert cut(rows, limit=3, listing="incidents", moment="at", key="id").next_cursor is None
