import os
from pathlib import Path
from typing import Any

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
        "faultwire.toml:1: unknown key 'zebra'; known are access, amqp_service_check, "
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


@pytest.mark.parametrize("service", ["", "_WORKER", "_RABBITMQ", "_HTTP", "_UI_DEV", "_SERVICE"])
def test_a_service_s_links_in_a_pod_are_none_of_ours(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    for name, value in {
        "SERVICE_HOST": "10.0.0.9",
        "SERVICE_PORT": "5672",
        "SERVICE_PORT_AMQP": "5672",
        "PORT": "tcp://10.0.0.9:5672",
        "PORT_5672_TCP": "tcp://10.0.0.9:5672",
        "PORT_5672_TCP_PROTO": "tcp",
        "PORT_5672_TCP_PORT": "5672",
        "PORT_5672_TCP_ADDR": "10.0.0.9",
    }.items():
        monkeypatch.setenv(f"FAULTWIRE{service}_{name}", value)
    assert load_config().http_port == 8787
    monkeypatch.setenv("FAULTWIRE_HTTP_PORT", "9000")
    assert load_config().http_port == 9000


@pytest.mark.parametrize(
    ("variables", "suggested"),
    [
        (["FAULTWIRE_HTP_PORT"], "FAULTWIRE_HTTP_PORT"),
        (["FAULTWIRE_PORT"], "FAULTWIRE_"),
        (["FAULTWIRE_WORKER_PORT"], "FAULTWIRE_"),
        (["FAULTWIRE_WORKER_SERVICE_HOST", "FAULTWIRE_WORKER_SERVICE_PORT", "FAULTWIRE_WORKER_PRT"], ""),
        (["FAULTWIRE_WORKER_SERVICE_HOST"], "FAULTWIRE_"),
    ],
)
def test_a_slip_that_looks_like_a_link_is_told(
    monkeypatch: pytest.MonkeyPatch, variables: list[str], suggested: str
) -> None:
    for name in variables:
        monkeypatch.setenv(name, "8787")
    text = refusal()
    assert text.startswith(f"unknown variable {variables[-1]}")
    assert suggested in text


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
        (
            "BROKER_URL",
            "amqp://ada:se/cret@mq/",
            "amqp://ada:***@mq/ has no port between 1 and 65535; a pass",
        ),
        ("BROKER_URL", "amqp://ada:se#cret@mq/", "amqp://ada:***@mq/ has a # in it; write it as %23"),
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


def test_a_mark_in_front_of_utf_8_is_no_part_of_what_a_file_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "faultwire.toml").write_text("\ufeffhttp_port = 2\n", encoding="utf-8")
    (tmp_path / "url").write_text("\ufeffpostgresql://db/app\r\n", encoding="utf-8")
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL_FILE", str(tmp_path / "url"))
    config = load_config()
    assert (config.http_port, config.database_url) == (2, "postgresql://db/app")


def test_toml_that_is_nested_beyond_reading_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "faultwire.toml").write_text(f"rules = {'[' * 50_000}\n")
    assert refusal().startswith("faultwire.toml: ")


def test_a_folder_that_may_not_be_entered_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden(type(Path())):  # type: ignore[misc]  # its base is this platform's
        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(
        "faultwire_consumer.config.CONFIG_PATHS", (Forbidden("/etc/faultwire/faultwire.toml"),)
    )
    assert refusal() == (
        "cannot look for /etc/faultwire/faultwire.toml: this user may not enter /etc/faultwire; allow it "
        "(chmod 755 /etc/faultwire), or name another file by --config or FAULTWIRE_CONFIG"
    )


def test_names_that_are_answered_to_are_a_list_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config().allowed_hosts == ()
    monkeypatch.setenv("FAULTWIRE_HTTP_ALLOWED_HOSTS", "errors.internal, worker-1,")
    assert load_config().allowed_hosts == ("errors.internal", "worker-1")
    for wrong in ("http://errors.internal", "errors.internal:8787", "*", "a b"):
        monkeypatch.setenv("FAULTWIRE_HTTP_ALLOWED_HOSTS", wrong)
        assert "FAULTWIRE_HTTP_ALLOWED_HOSTS" in refusal()


def test_where_nobody_signs_in_a_worker_listens_to_its_own_machine_alone() -> None:
    assert load_config().is_open
    said = refusal(http_host="0.0.0.0")  # noqa: S104 - refused
    assert "FAULTWIRE_ACCESS=login" in said
    assert "faultwire access token create" in said


@pytest.mark.parametrize(
    "given",
    [
        {"access": "login"},
        {"access": "proxy", "proxy_user_header": "X-User", "proxy_networks": "10.0.3.7"},
    ],
)
def test_beyond_its_machine_it_listens_where_people_are_known(given: dict[str, Any]) -> None:
    config = load_config(http_host="0.0.0.0", **given)  # noqa: S104 - not bound
    assert not config.loopback_only
    assert not config.is_open


def test_for_one_more_release_a_network_may_be_trusted() -> None:
    config = load_config(http_host="0.0.0.0", http_trust_network=True)  # noqa: S104 - not bound
    assert config.is_open


def test_an_unknown_way_in_is_named_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTWIRE_ACCESS", "everybody")
    assert "FAULTWIRE_ACCESS: input should be 'open', 'login' or 'proxy'" in refusal()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.9", "::1"])
def test_names_of_loopback(host: str) -> None:
    assert load_config(http_host=host).loopback_only


def test_links_lead_to_source_and_tracker_where_templates_say_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load_config().sources.usual is None
    assert load_config().tracker is None
    (tmp_path / "faultwire.toml").write_text(
        'source_link = "https://git.example/{service}/{path}#L{line}"\n'
        'tracker_link = "https://issues.example/new?title={title}&body={body}"\n'
        '[source_links]\nbilling = "https://pay.example/{path}"\n'
    )
    config = load_config()
    assert config.tracker is not None
    assert config.tracker.host == "issues.example"
    assert config.sources.usual is not None
    assert config.sources.services["billing"].host == "pay.example"
    monkeypatch.setenv("FAULTWIRE_SOURCE_LINKS", '{"shop": "https://shop.example/{path}"}')
    assert [*load_config().sources.services] == ["shop"]


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SOURCE_LINK", "https://git.example/{pth}", "unknown field {pth}; did you mean path?"),
        ("SOURCE_LINK", "git.example/{path}", "is not an address of http or https; write https://"),
        ("SOURCE_LINKS", "billing", "write {billing = "),
        ("SOURCE_LINKS", '{"billing": 1}', "write {billing = "),
        (
            "SOURCE_LINKS",
            '{"billing": "https://git.example/{lnie}"}',
            "unknown field {lnie}; did you mean line?",
        ),
        ("TRACKER_LINK", "https://{service}.example/new", "needs a host without fields"),
        ("TRACKER_LINK", "https://git.example/new?t={titel}", "unknown field {titel}; did you mean title?"),
        ("TRACKER_LINK", "https://ada:secret@git.example/{id}", "without fields or a user"),
    ],
)
def test_a_link_s_template_that_cannot_be_is_told_with_what_would_do(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"FAULTWIRE_{variable}", value)
    text = refusal()
    assert text.startswith(f"FAULTWIRE_{variable}: ")
    assert told in text
    assert "secret" not in text


@pytest.mark.parametrize(("text", "seconds"), [("5s", 5.0), ("5", 5.0), (" 2.5 s ", 2.5), ("0", 0.0)])
def test_a_delay_of_the_drain_is_in_seconds(
    monkeypatch: pytest.MonkeyPatch, text: str, seconds: float
) -> None:
    monkeypatch.setenv("FAULTWIRE_DRAIN_DELAY", text)
    assert load_config().drain_delay == seconds


@pytest.mark.parametrize("text", ["5m", "-1", "61", "nan", "inf", "1e3s", "soon"])
def test_a_delay_of_the_drain_that_is_none_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("FAULTWIRE_DRAIN_DELAY", text)
    assert refusal().startswith("FAULTWIRE_DRAIN_DELAY: ")
