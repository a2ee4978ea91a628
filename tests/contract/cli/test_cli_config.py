"""``faultwire init`` and ``config show``: every setting, its default, and where its value comes from."""

import json
import re
import stat
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from faultwire_consumer.cli.application import run
from faultwire_consumer.cli.init import settings_file
from faultwire_consumer.cli.setting_text import describe_settings, is_secret
from faultwire_consumer.config import WorkerConfig, load_config

pytestmark = pytest.mark.may_block("commands are synchronous")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^#(?=\w+ = )", "", text)


def test_the_new_file_changes_nothing_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert run(["init", "--quiet"]) == 0
    path = tmp_path / "faultwire.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tomllib.loads(path.read_text()) == {}
    assert load_config() == WorkerConfig()


def test_every_setting_is_in_it_with_its_default_and_an_explanation(tmp_path: Path) -> None:
    text = settings_file()
    with_values = uncommented("\n".join(line for line in text.splitlines() if '"…"' not in line))
    (tmp_path / "faultwire.toml").write_text(with_values)
    assert load_config() == WorkerConfig()
    without = {name for name, field in WorkerConfig.model_fields.items() if field.default is None}
    assert set(tomllib.loads(with_values)) == set(WorkerConfig.model_fields) - without
    for name in without:
        assert f'#{name} = "…"  # not set' in text
    settings = describe_settings(WorkerConfig)
    for before, setting in pairwise(settings):
        is_same_kind = setting.name.partition("_")[0] == before.name.partition("_")[0]
        assert setting.told or is_same_kind, f"{setting.name} has no docstring, nor one above it"


def test_the_values_of_a_choice_and_the_bounds_of_a_number_are_named() -> None:
    values = {one.name: one.values for one in describe_settings(WorkerConfig)}
    assert values["log_format"] == "one of auto, console, json"
    assert values["http_connections"] == "from 16 to 65536"
    assert values["access"] == "one of open, login, proxy"


def test_a_file_that_is_there_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.toml"
    path.write_text("http_port = 1\n")
    assert run(["init", "own.toml"]) == 1
    assert path.read_text() == "http_port = 1\n"
    assert "stays as it is" in capsys.readouterr().err
    assert run(["init", "nowhere/own.toml"]) == 1
    assert run(["init", "-"]) == 0
    assert capsys.readouterr().out == settings_file()


def test_each_value_says_where_it_comes_from_and_no_password_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faultwire.toml").write_text(
        'log_level = "DEBUG"\nhttp_port = 1234\nretention_bytes = "20GB"\n'
    )
    (tmp_path / "broker").write_text("amqp://ada:hunter2@mq/\n")
    monkeypatch.setenv("FAULTWIRE_HTTP_PORT", "4321")
    monkeypatch.setenv("FAULTWIRE_BROKER_URL_FILE", str(tmp_path / "broker"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:hunter3@db/app")
    assert run(["config", "show", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = {row["setting"]: (row["value"], row["from"]) for row in document["settings"]}
    assert set(rows) == set(WorkerConfig.model_fields)
    assert rows["http_port"] == (4321, "FAULTWIRE_HTTP_PORT")
    assert rows["log_level"] == ("DEBUG", "faultwire.toml:1 log_level")
    assert rows["retention_bytes"] == (20_000_000_000, "faultwire.toml:3 retention_bytes")
    assert rows["broker_url"] == ("amqp://ada:***@mq/", "FAULTWIRE_BROKER_URL_FILE")
    assert rows["database_url"] == ("postgresql://ada:***@db/app", "DATABASE_URL")
    assert rows["http_host"] == ("127.0.0.1", "default")
    assert run(["config", "show", "--changed"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 5
    assert re.search(r'log_level\s+"DEBUG"  # faultwire.toml:1 log_level', out)
    assert "hunter" not in out


def test_what_cannot_be_used_is_shown_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTWIRE_HTTP_PORT", "many")
    assert run(["config", "show", "--changed"]) == 78
    out, err = capsys.readouterr()
    assert 'http_port  "many"  # FAULTWIRE_HTTP_PORT' in out
    assert err.startswith("faultwire: FAULTWIRE_HTTP_PORT: ")
    monkeypatch.setenv("FAULTWIRE_HTTP_PROT", "1")
    assert run(["config", "show"]) == 78


def test_whatever_is_named_as_a_secret_is_hidden() -> None:
    assert all(
        is_secret(name)
        for name in ("oidc_client_secret", "smtp_password", "api_token", "signing_key", "heartbeat_url")
    )
    assert not any(is_secret(name) for name in ("broker_url", "http_port", "log_level"))


def test_a_table_and_a_template_are_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "faultwire.toml").write_text(
        'tracker_link = "https://git.example/new?title={title}"\n'
        '[source_links]\nbilling = "https://git.example/pay/{path}"\n"a b" = "https://git.example/ab/{path}"\n'
    )
    assert run(["config", "show", "--changed", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {row["setting"]: row["value"] for row in document["settings"]} == {
        "tracker_link": "https://git.example/new?title={title}",
        "source_links": {
            "billing": "https://git.example/pay/{path}",
            "a b": "https://git.example/ab/{path}",
        },
    }
    assert run(["config", "show", "--changed"]) == 0
    out = capsys.readouterr().out
    shown = '{billing = "https://git.example/pay/{path}", "a b" = "https://git.example/ab/{path}"}'
    assert shown in out
    (tmp_path / "faultwire.toml").write_text('source_link = "https://ada:hunter2@git.example/{path}"\n')
    assert run(["config", "show", "--changed"]) == 78
    assert "hunter2" not in "".join(capsys.readouterr())
