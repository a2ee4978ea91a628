"""Where commands look for a worker, and where they publish to."""

import pytest

from faultwire_consumer.cli.address import DEFAULT_URL, log_in, publish_url, worker_url
from faultwire_consumer.cli.failure import CONFIGURATION, CommandError


@pytest.mark.parametrize(
    ("set_to", "url"),
    [(None, DEFAULT_URL), ("", DEFAULT_URL), ("https://errors.example/x/", "https://errors.example/x")],
)
def test_the_environment_names_the_worker(
    monkeypatch: pytest.MonkeyPatch, set_to: str | None, url: str
) -> None:
    monkeypatch.delenv("FAULTWIRE_URL", raising=False)
    if set_to is not None:
        monkeypatch.setenv("FAULTWIRE_URL", set_to)
    assert worker_url() == url


@pytest.mark.parametrize("url", ["amqp://ada:secret@mq/", "http://", "8787", "http://[oops"])
def test_what_cannot_be_a_worker_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("FAULTWIRE_URL", url)
    with pytest.raises(CommandError, match="is not an http:// or https:// address") as caught:
        worker_url()
    assert caught.value.exit_code == CONFIGURATION
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "without", "login"),
    [
        ("http://worker:8787/x", "http://worker:8787/x", {}),
        (
            "https://ada:p%40ss@errors.example/x",
            "https://errors.example/x",
            {"Authorization": "Basic YWRhOnBAc3M="},
        ),
        ("http://ada@[::1]:8787", "http://[::1]:8787", {"Authorization": "Basic YWRhOg=="}),
    ],
)
def test_a_user_in_the_address_logs_in_at_the_proxy(url: str, without: str, login: dict[str, str]) -> None:
    assert log_in(url) == (without, login)


def test_what_is_given_wins_over_the_broker_and_the_broker_over_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("FAULTWIRE_URL", "FAULTWIRE_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    assert publish_url(None) == DEFAULT_URL
    monkeypatch.setenv("FAULTWIRE_URL", "http://worker/")
    assert publish_url(None) == "http://worker/"
    monkeypatch.setenv("FAULTWIRE_BROKER_URL", "amqp://broker/")
    assert publish_url(None) == "amqp://broker/"
    assert publish_url("amqp://other/") == "amqp://other/"
