"""Settings of TLS become words of the addresses, or are refused before anything is opened."""

import re

import pytest

from faultwire_consumer.config import ConfigError, load_config

POSTGRESQL = "postgresql://me:hunter2@db/app"


def _load(monkeypatch: pytest.MonkeyPatch, **settings: str) -> tuple[str | None, str]:
    for name, value in settings.items():
        monkeypatch.setenv(f"FAULTWIRE_{name.upper()}", value)
    config = load_config()
    return config.broker_url, config.database_url


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"database_ca_file": "/ca"}, "sslrootcert=%2Fca&sslmode=verify-full"),
        ({"database_tls": "verify-full"}, "sslrootcert=system&sslmode=verify-full"),
        ({"database_tls": "require"}, "sslmode=require"),
        (
            {"database_certificate_file": "/c", "database_key_file": "/k", "database_tls": "prefer"},
            "sslcert=%2Fc&sslkey=%2Fk&sslmode=prefer",
        ),
    ],
)
def test_postgresql_gets_the_settings_as_words_of_libpq(
    settings: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _load(monkeypatch, database_url=POSTGRESQL, **settings)[1] == f"{POSTGRESQL}?{words}"
    beside = f"{POSTGRESQL}?application_name=sslapp"
    assert _load(monkeypatch, database_url=beside, **settings)[1] == f"{beside}&{words}"


def test_the_replica_gets_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _load(monkeypatch, database_url=POSTGRESQL, database_read_url=POSTGRESQL, database_ca_file="/ca")
    assert load_config().database_read_url == load_config().database_url


def test_a_broker_gets_its_files_and_a_command_without_broker_none(monkeypatch: pytest.MonkeyPatch) -> None:
    url, _ = _load(monkeypatch, broker_url="amqps://h/", broker_ca_file="/ca")
    assert url == "amqps://h/?cafile=%2Fca"
    assert load_config(with_broker=False).broker_url is None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"database_ca_file": "/ca"}, "SQLite has no network"),
        ({"database_url": f"{POSTGRESQL}?sslmode=disable", "database_ca_file": "/ca"}, "say it once"),
        ({"database_url": POSTGRESQL, "database_key_file": "/k"}, "set database_certificate_file too"),
        (
            {"database_url": POSTGRESQL, "database_ca_file": "/ca", "database_tls": "require"},
            "database_tls = 'require' looks at no certificate",
        ),
        ({"database_url": POSTGRESQL, "database_tls": "always"}, "FAULTWIRE_DATABASE_TLS: "),
        ({"broker_url": "amqp://h/", "broker_ca_file": "/ca"}, "is not encrypted"),
    ],
)
def test_settings_that_would_protect_nothing_are_refused(
    settings: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)) as refused:
        _load(monkeypatch, **settings)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)
