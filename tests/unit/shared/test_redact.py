"""What may be shown of an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_shared.redact import redact_url, redact_urls


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://bob:hunter2@rabbit:5672/vhost", "amqp://bob:***@rabbit:5672/vhost"),
        ("amqp://rabbit/%2F?password=hunter2", "amqp://rabbit/%2F?***"),
        ("postgresql://bob@db/faultwire", "postgresql://bob@db/faultwire"),
        ("sqlite:////var/lib/faultwire.db", "sqlite:////var/lib/faultwire.db"),
        ("amqp://bob:hun?ter2@rabbit:5672/vhost", "amqp://bob:***?***"),
        ("postgresql://db/app?application_name=me@home", "postgresql://db/app?***"),
        ("bob:hunter2@rabbit", "***"),
        ("rubbish", "rubbish"),
    ],
)
def test_an_address_keeps_its_place_and_loses_its_password(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_every_address_in_a_text_is_redacted() -> None:
    text = "cannot reach amqp://a:secret@h/ nor postgresql://b:secret@h/x now"
    assert redact_urls(text) == "cannot reach amqp://a:***@h/ nor postgresql://b:***@h/x now"


@given(st.from_regex(r"canary[a-zA-Z0-9:/@%.?#-]{0,30}", fullmatch=True))
def test_no_password_survives_whatever_it_holds(password: str) -> None:
    assert "canary" not in redact_url(f"amqp://user:{password}@host:5672/vhost")
