"""The file of the keys that a gateway knows."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from faultwire_consumer.domain.access.dsn import KEYS_MAX, DsnKey, KeptKey
from faultwire_consumer.gateway.known_keys import KnownKeys

pytestmark = pytest.mark.may_block("it is called in a thread")

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_key(number: int) -> KeptKey:
    key = DsnKey(
        public_key=f"{number:032x}",
        project=number,
        service="\u5e97",
        token_id=number,
        token_name="shop",  # noqa: S106 - a name
        allowed_origins=("https://shop.example",),
    )
    return KeptKey(key=key, expires_at=NOW)


def test_what_was_written_is_read_and_replaced_as_a_whole(tmp_path: Path) -> None:
    known = KnownKeys(tmp_path / "keys.json")
    assert known.read() == ()
    for keys in ((a_key(1), a_key(2)), (a_key(3),), ()):
        assert known.write(keys)
        assert known.read() == keys
        assert list(tmp_path.iterdir()) == [tmp_path / "keys.json"]
        assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_it_holds_so_many_keys_and_no_more(tmp_path: Path) -> None:
    known = KnownKeys(tmp_path / "keys.json")
    assert known.write(a_key(number) for number in range(KEYS_MAX + 5))
    assert len(known.read()) == KEYS_MAX


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"keys":[1]}',
        b'{"keys":' + b"[" * 5000,
        b'{"keys":[{"key":{"public_key":"a"}}]}',
        b'{"keys":[],"version":2}',
        b'{"keys":[]}' + b" " * (17 * 1024 * 1024) + b"x",
    ],
)
def test_a_file_that_cannot_be_read_is_as_none_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    known = KnownKeys(path)
    assert known.read() == ()
    assert known.write([a_key(1)])
    assert known.read() == (a_key(1),)


def test_what_an_earlier_process_left_half_written_is_in_nobody_s_way(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    (tmp_path / f"keys.json.{os.getpid()}.part").symlink_to(elsewhere)
    known = KnownKeys(tmp_path / "keys.json")
    assert known.write([a_key(1)])
    assert known.read() == (a_key(1),)
    assert elsewhere.read_bytes() == b"mine"


def test_a_failure_is_told_and_what_stood_before_stays(tmp_path: Path) -> None:
    known = KnownKeys(tmp_path / "nowhere" / "keys.json")
    with capture_logs() as logs:
        for _ in range(3):
            assert not known.write([a_key(1)])
    assert known.read() == ()
    assert [log["event"] for log in logs] == ["keys.not_kept"]
