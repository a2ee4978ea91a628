import os
from pathlib import Path

import pytest

from faultwire_consumer.config import ConfigError, load_config


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("FAULTWIRE_") or name in (
            "DATABASE_URL",
            "DATABASE_READ_URL",
            "RABBITMQ_URL",
            "PORT",
        ):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refusal(**options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(**options)  # type: ignore[arg-type]  # what cannot be is the point
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_without_anything_it_is_sqlite_on_loopback() -> None:
    config = load_config()
    assert config.database_url == "sqlite:///faultwire.db"
    assert config.broker_url is None
    assert (config.http_host, config.http_port, config.loopback_only) == ("127.0.0.1", 8787, True)


def test_what_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PORT", "1")
    assert load_config().http_port == 1
    (tmp_path / "faultwire.toml").write_text("http_port = 2\n")
    assert load_config().http_port == 2
    other = tmp_path / "other.toml"
    other.write_text("http_port = 3\n")
    monkeypatch.setenv("FAULTWIRE_CONFIG", str(other))
    assert load_config().http_port == 3
    assert load_config(tmp_path / "faultwire.toml").http_port == 2
    monkeypatch.setenv("FAULTWIRE_HTTP_PORT", "4")
    assert load_config().http_port == 4
    assert load_config(http_port=5).http_port == 5


def test_a_secret_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgres://ada:pw@db/app\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/x")
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL_FILE", str(secret))
    config = load_config()
    assert config.database_url == "postgresql://ada:pw@db/app"
    assert "pw" not in repr(config)


def test_the_names_of_hosting_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/app")
    monkeypatch.setenv("RABBITMQ_URL", "amqps://mq/")
    config = load_config()
    assert (config.database_url, config.broker_url) == ("postgresql://db/app", "amqps://mq/")


def test_a_read_replica_is_postgresql_beside_postgresql(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_READ_URL", "postgres://ada:secret@standby/app")
    text = refusal()
    assert "SQLite has no replica" in text
    assert "secret" not in text
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/app")
    config = load_config()
    assert config.database_read_url == "postgresql://ada:secret@standby/app"
    assert "secret" not in repr(config)
    (tmp_path / "url").write_text("postgresql://ada:secret@one,two:5433/app\n")
    monkeypatch.setenv("FAULTWIRE_DATABASE_READ_URL_FILE", str(tmp_path / "url"))
    assert load_config().database_read_url == "postgresql://ada:secret@one,two:5433/app"
    monkeypatch.setenv("FAULTWIRE_DATABASE_READ_URL", "sqlite:///x.db")
    assert "FAULTWIRE_DATABASE_READ_URL: sqlite:///x.db is not an address" in refusal()


def test_an_unknown_key_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "faultwire.toml"
    path.write_text('# ours\nhttp_port = 1\nhttp_hots = "x"\n')
    assert refusal() == "faultwire.toml:3: unknown key 'http_hots'; did you mean http_host?"
    path.write_text("[zebra]\nx = 1\n")
    assert refusal().startswith(
        "faultwire.toml:1: unknown key 'zebra'; known are bodies_per_incident, broker_url, "
    )


def test_an_unknown_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTWIRE_DATABSE_URL", "sqlite:///x")
    assert refusal() == "unknown variable FAULTWIRE_DATABSE_URL; did you mean FAULTWIRE_DATABASE_URL?"


@pytest.mark.parametrize(
    "name",
    [
        "SERVICE",
        "SPOOL_PATH",
        "URL",
        "TOKEN",
        "SERVICE_FILE",
        "PORT",
        "SERVICE_PORT_HTTP",
        "PORT_8787_TCP_ADDR",
    ],
)
def test_what_others_set_is_none_of_ours(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"FAULTWIRE_{name}", "tcp://10.0.0.1:8787")
    assert load_config().http_port == 8787


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        (
            "DATABASE_URL",
            "mysql://ada:secret@db/x",
            "FAULTWIRE_DATABASE_URL: mysql://ada:***@db/x is not an address",
        ),
        ("DATABASE_URL", "sqlite://", "SQLite needs a file"),
        ("DATABASE_URL", "sqlite:///:memory:", "SQLite needs a file"),
        ("BROKER_URL", "http://ada:secret@mq/", "FAULTWIRE_BROKER_URL: http://ada:***@mq/ is not an address"),
        ("BROKER_URL", "ada:secret@mq", "FAULTWIRE_BROKER_URL: *** is not an address"),
        ("BROKER_URL", "amqp://ada:secret@mq,amqp://ada:secret@two:0/", "amqp://ada:***@two:0/ has no port"),
        ("BROKER_URL", "amqp://ada:secret@mq,two:port/", "amqp://ada:***@two:port/ has no port"),
        ("BROKER_URL", "amqp://u:secret@mq/,http://u:secret@w/", "http://u:***@w/ is not an address"),
        ("BROKER_URL", "amqp://ada:secret@mq:port/", "has no port between 1 and 65535"),
        ("DATABASE_URL", "postgresql://u:secret@one:1,two:port/x", "has no port between 1 and 65535"),
        ("HTTP_PORT", "70000", "FAULTWIRE_HTTP_PORT: input should be less than or equal to 65535"),
        ("LOG_LEVEL", "loud", "FAULTWIRE_LOG_LEVEL: input should be"),
        ("DATABASE_URL_FILE", "/nowhere", "cannot read /nowhere: No such file"),
        ("CONFIG", "/nowhere", "cannot read /nowhere: No such file"),
    ],
)
def test_a_value_that_cannot_be_is_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"FAULTWIRE_{variable}", value)
    text = refusal()
    assert told in text
    assert "secret" not in text


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "faultwire.toml").write_text("http_port = \n")
    assert "line 1" in refusal()


def test_beyond_loopback_only_by_saying_so() -> None:
    assert "http_trust_network" in refusal(http_host="0.0.0.0")  # noqa: S104 - refused
    config = load_config(http_host="0.0.0.0", http_trust_network=True)  # noqa: S104 - not bound
    assert not config.loopback_only


@pytest.mark.parametrize("host", ["localhost", "127.0.0.9", "::1"])
def test_names_of_loopback(host: str) -> None:
    assert load_config(http_host=host).loopback_only
