"""The file that administrators import: what the code declares, users with the least rights, no secret."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from faultwire_consumer.cli.application import run
from faultwire_consumer.cli.definitions import RIGHTS, Role, definitions, hash_password
from faultwire_shared.event import Lane
from faultwire_shared.topology import DEAD, EVENTS, TOPOLOGY, UNROUTED, queue_of

ROOT = Path(__file__).parents[3]
QUEUES = {queue_of(lane) for lane in Lane} | {DEAD}


def test_the_definitions_file_is_what_the_code_declares() -> None:
    written = json.loads((ROOT / "deploy/rabbitmq/definitions.json").read_text())
    assert written == definitions(), "run `faultwire topology export > deploy/rabbitmq/definitions.json`"


def test_the_definitions_file_holds_no_password() -> None:
    written = json.loads((ROOT / "deploy/rabbitmq/definitions.json").read_text())
    assert [user["password_hash"] for user in written["users"]] == ["", "", ""]


@pytest.mark.parametrize("role", [Role.PRODUCER, Role.WORKER])
def test_who_publishes_or_consumes_declares_nothing_and_writes_one_exchange(role: Role) -> None:
    rights = RIGHTS[role]
    names = {exchange.name for exchange in TOPOLOGY.exchanges} | QUEUES | {"", "amq.topic", f"{EVENTS}x"}
    assert not [name for name in names if name and re.search(rights.configure, name)]
    assert [name for name in names if re.search(rights.write, name)] == [EVENTS]


def test_a_worker_reads_the_four_queues_and_a_producer_reads_nothing() -> None:
    names = {*QUEUES, EVENTS, UNROUTED, "faultwire.deadly", "other"}
    assert {name for name in names if re.search(RIGHTS[Role.WORKER].read, name)} == QUEUES
    assert not [name for name in names if re.search(RIGHTS[Role.PRODUCER].read, name)]


def test_the_administrator_touches_only_what_is_ours() -> None:
    rights = RIGHTS[Role.ADMINISTRATOR]
    for pattern in (rights.configure, rights.write, rights.read):
        assert re.search(pattern, EVENTS)
        assert not re.search(pattern, "amq.topic")
        assert not re.search(pattern, "faultwirex")


def test_a_password_is_hashed_as_rabbitmq_does_it() -> None:
    salt = bytes.fromhex("908dc60a")
    expected = base64.b64encode(salt + hashlib.sha256(salt + b"test12").digest()).decode()
    assert hash_password("test12", make_salt=lambda size: salt[:size]) == expected


def test_export_puts_hashes_of_passwords_from_files_and_never_the_passwords(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "worker").write_text("geheim\n")
    assert (
        run(["topology", "export", "--vhost", "errors", "--worker-password-file", str(tmp_path / "worker")])
        == 0
    )
    printed = capsys.readouterr().out
    users = {user["name"]: user for user in json.loads(printed)["users"]}
    raw = base64.b64decode(users["faultwire-worker"]["password_hash"])
    assert raw[4:] == hashlib.sha256(raw[:4] + b"geheim").digest()
    assert users["faultwire-producer"]["password_hash"] == ""
    assert "geheim" not in printed


def test_export_leaves_the_users_out_where_they_are_made_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["topology", "export", "--no-users"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert set(document) == {"exchanges", "queues", "bindings"}


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_password_file_that_cannot_be_is_a_wrong_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    assert run(["topology", "export", "--producer-password-file", str(path)]) == 78
    assert capsys.readouterr().out == ""


def test_a_service_s_user_may_use_its_own_keys_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.eu").write_text("geheim\n")
    command = ["topology", "export", "--service", "shop.eu", "--service-passwords", str(tmp_path)]
    assert run(command) == 0
    document = json.loads(capsys.readouterr().out)
    (rights,) = document["topic_permissions"]
    assert (rights["user"], rights["exchange"]) == ("faultwire-producer-shop.eu", "faultwire.events")
    assert re.fullmatch(rights["write"], "event.high.system.shop_eu")
    assert not re.fullmatch(rights["write"], "event.high.system.shopXeu")
    (user,) = (one for one in document["users"] if one["name"] == rights["user"])
    assert len(user["password_hash"]) == 48
    assert "topic_permissions" not in definitions()
    for name in ("", "a/../b", "a b", "x" * 101):
        assert run(["topology", "export", "--service", name]) == 2
