"""Settings of who may ask: what would let strangers in is refused, with what mends it."""

import re
from pathlib import Path
from typing import Any

import pytest

from faultwire_consumer.config import ConfigError, WorkerConfig, load_config
from faultwire_consumer.domain.access.invitation_link import invitation_link, page_root
from faultwire_consumer.domain.access.scope import AccountRole

PROXY: dict[str, Any] = {
    "access": "proxy",
    "http_host": "0.0.0.0",  # noqa: S104 - what is tested
    "proxy_user_header": "X-Forwarded-User",
    "proxy_networks": "10.0.3.0/24",
}
SIGNED: dict[str, Any] = {
    "access": "proxy",
    "proxy_jwt_header": "Cf-Access-Jwt-Assertion",
    "proxy_jwt_keys_url": "https://team.cloudflareaccess.com/cdn-cgi/access/certs",
    "proxy_jwt_issuer": "https://team.cloudflareaccess.com",
    "proxy_jwt_audience": "abc",
}


@pytest.fixture(autouse=True)
def _no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def without(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != name}


def test_these_make_a_whole() -> None:
    assert [str(one) for one in WorkerConfig(**PROXY).trusted_networks] == ["10.0.3.0/24"]
    assert WorkerConfig(**SIGNED).trusted_networks == ()
    secret = {"http_host": "127.0.0.1", "proxy_secret_file": "secret", "proxy_networks": "127.0.0.1, ::1"}
    assert len(WorkerConfig(**PROXY | secret).trusted_networks) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (without(PROXY, "proxy_user_header"), "takes proxy_user_header"),
        (PROXY | {"proxy_jwt_header": "X-Jwt"}, "takes proxy_user_header"),
        (without(PROXY, "proxy_networks"), "set proxy_networks"),
        (PROXY | {"proxy_networks": " , "}, "set proxy_networks"),
        (PROXY | {"proxy_networks": "0.0.0.0/0"}, "nearly everybody"),
        (PROXY | {"proxy_networks": "10.0.3.7,::/0"}, "nearly everybody"),
        (PROXY | {"proxy_networks": "0.0.0.0/1,128.0.0.0/1"}, "nearly everybody"),
        (PROXY | {"proxy_networks": "*"}, "is no network"),
        (PROXY | {"proxy_networks": "proxy.internal"}, "is no network"),
        (PROXY | {"http_host": "127.0.0.1"}, "proxy_secret_file"),
        (PROXY | {"proxy_networks": "127.0.0.1"}, "proxy_secret_file"),
        (PROXY | {"proxy_user_header": "X User"}, "cannot be that header"),
        (PROXY | {"proxy_user_header": "Authorization"}, "cannot be that header"),
        (PROXY | {"access": "login"}, 'access = "proxy"'),
        (without(SIGNED, "proxy_jwt_issuer"), "proxy_jwt_issuer"),
        (without(SIGNED, "proxy_jwt_audience"), "proxy_jwt_audience"),
        (without(SIGNED, "proxy_jwt_keys_url"), "proxy_jwt_keys_url"),
        (SIGNED | {"proxy_jwt_keys_url": "http://keys.example.com/"}, "https://"),
        (PROXY | {"proxy_roles": {"owner": ["sre"]}}, "admin"),
        (PROXY | {"proxy_roles": {"admin": "sre"}}, "admin"),
        (PROXY | {"proxy_default_role": "owner"}, "viewer"),
    ],
)
def test_what_would_let_strangers_in_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_config(**given)


def test_roles_are_a_table_in_a_file_and_json_in_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faultwire.toml").write_text('proxy_roles = { admin = ["sre"], operator = ["dev", "ops"] }\n')
    assert load_config().proxy_roles == {AccountRole.ADMIN: ("sre",), AccountRole.OPERATOR: ("dev", "ops")}
    monkeypatch.setenv("FAULTWIRE_PROXY_ROLES", '{"viewer": ["all"]}')
    assert load_config().proxy_roles == {AccountRole.VIEWER: ("all",)}
    for text in ("sre", "[1]", '{"admin": [1]}', "[" * 100_000):
        monkeypatch.setenv("FAULTWIRE_PROXY_ROLES", text)
        with pytest.raises(ConfigError, match="FAULTWIRE_PROXY_ROLES: write"):
            load_config()


@pytest.mark.parametrize(
    ("public_url", "host", "root"),
    [
        ("https://errors.example.com/f/", "0.0.0.0", "https://errors.example.com/f"),  # noqa: S104 - as above
        (None, "0.0.0.0", "http://localhost:8787"),  # noqa: S104 - as above
        (None, "127.0.0.1", "http://127.0.0.1:8787"),
        (None, "::1", "http://[::1]:8787"),
    ],
)
def test_a_link_leads_to_the_page(public_url: str | None, host: str, root: str) -> None:
    link = invitation_link(page_root(public_url, host=host, port=8787), "a+b")
    assert link == f"{root}/invitation?link=a%2Bb"
