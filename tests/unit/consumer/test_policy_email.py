"""A mail's receiver as people write it: what it says, and what is said where it cannot be."""

from pathlib import Path

import pytest
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.receiver.email import RECIPIENTS_MAX, Email, Security
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.policy_file import PolicyFileError, shipped_text
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_consumer.notify.senders.email import EmailSender

HEAD = "[receivers.team]\ntype = 'email'\n"
LEAST = HEAD + "host = 'mail.example.com'\nfrom = 'errors@example.com'\nto = 'ann@example.com'\n"

pytestmark = pytest.mark.may_block("a policy is read before a worker's loop turns")


def email_of(text: str) -> Email:
    (receiver,) = parse_policy(text, shipped=shipped_text()).receivers
    assert isinstance(receiver.way, Email)
    return receiver.way


def test_a_host_and_two_addresses_are_enough_and_mean_starttls() -> None:
    way = email_of(LEAST)
    assert (way.host, way.port, way.security) == ("mail.example.com", 587, Security.STARTTLS)
    assert (way.sender.address.text, way.sender.name) == ("errors@example.com", "faultwire")
    assert [one.text for one in way.to] == ["ann@example.com"]
    assert not way.allow_private_addresses
    assert not way.allow_unencrypted


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_each_way_of_being_safe_has_its_usual_port(security: str, port: int) -> None:
    assert email_of(f"{LEAST}security = '{security}'\n").port == port
    assert email_of(f"{LEAST}security = '{security}'\nport = 2525\n").port == 2525


def test_a_sender_may_have_a_name_and_a_mail_goes_to_each_address_once() -> None:
    text = LEAST.replace("'errors@example.com'", "'Errors of the shop <errors@example.com>'")
    way = email_of(
        text.replace("'ann@example.com'", "['ann@example.com', 'bob@example.com', 'ann@example.com']")
    )
    assert (way.sender.address.text, way.sender.name) == ("errors@example.com", "Errors of the shop")
    assert [one.text for one in way.to] == ["ann@example.com", "bob@example.com"]


WRONG = [
    ("type", HEAD, 1, "host is missing: the mail server's name"),
    ("from", LEAST.replace("from", "#"), 1, "from is missing"),
    ("to", LEAST.replace("to =", "# ="), 1, "to is missing"),
    (
        "host",
        LEAST.replace("mail.example.com", "mail:25"),
        3,
        "a mail server's name or number, without a port",
    ),
    ("from", LEAST.replace("errors@", ""), 4, "a mail address"),
    ("to", LEAST.replace("ann@example.com", "ann@example.com\\nBcc: x@example.com"), 5, "a mail address"),
    ("to", LEAST.replace("'ann@example.com'", '"a@example.com\\r\\nX: y"'), 5, "a mail address"),
    ("to", LEAST.replace("'ann@example.com'", "[]"), 5, f"a list of 1 to {RECIPIENTS_MAX} mail addresses"),
    ("to", LEAST.replace("'ann@example.com'", f"{['a@example.com'] * 51}"), 5, "a list of 1 to 50"),
    ("security", LEAST + "security = 'startls'", 6, "did you mean starttls?"),
    ("port", LEAST + "port = 0", 6, "a port from 1 to 65535"),
    ("username", LEAST + "username = 'me'", 1, "password is missing"),
    ("password", LEAST + "password = 'secret'", 1, "username is missing: whose password it is"),
    (
        "password_file",
        LEAST + "username = 'me'\npassword = 'secret'\npassword_file = '/p'",
        8,
        "password or password_file, not both",
    ),
    ("reply_to", LEAST + "reply_to = 'nobody'", 6, "a mail address"),
    ("unsubscribe_url", LEAST + "unsubscribe_url = 'http://x.example'", 6, "an https:// address"),
    ("unsubscribe_url", LEAST + "unsubscribe_url = 'https://x.example/>\"'", 6, "an https:// address"),
    ("pasword", LEAST + "pasword = 'secret'", 6, "unknown key 'pasword'; did you mean password"),
]


@pytest.mark.parametrize(("text", "line", "said"), [one[1:] for one in WRONG])
def test_what_cannot_be_is_told_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(text, shipped=shipped_text())
    assert said in str(refused.value)
    assert refused.value.line == line


def test_no_message_and_no_repr_shows_an_address_or_a_password() -> None:
    full = (
        LEAST.replace("ann@example.com", "hidden-to@example.com").replace("errors@", "hidden-from@")
        + "username = 'hidden-name'\npassword = 'hidden-word'\nreply_to = 'hidden-back@example.com'\n"
    )
    assert "hidden" not in repr(email_of(full))
    for key in ("from", "to", "reply_to", "username", "password", "unsubscribe_mailto", "unsubscribe_url"):
        lines = [line for line in LEAST.splitlines() if not line.startswith(f"{key} ")]
        for value in ("'hidden me'", "7", "['hidden', 'me']"):
            with pytest.raises(PolicyError) as refused:
                parse_policy("\n".join([*lines, f"{key} = {value}"]), shipped=shipped_text())
            assert "hidden" not in str(refused.value)


def test_a_password_may_be_the_first_line_of_a_file(tmp_path: Path, clock: FixedClock) -> None:
    file = tmp_path / "password"
    text = f"{LEAST}username = 'me'\npassword_file = '{file}'\n"
    policy = parse_policy(text, shipped=shipped_text())
    with pytest.raises(PolicyFileError, match=r"team\.password_file: cannot read .*: No such file"):
        senders_of(policy, clock=clock)
    file.write_text("")
    with pytest.raises(PolicyFileError, match="has no first line"):
        senders_of(policy, clock=clock)
    file.write_text("abcd efgh ijkl\n")
    sender = senders_of(policy, clock=clock)["team"]
    assert isinstance(sender, EmailSender)
    assert sender._server.password == "abcd efgh ijkl"  # noqa: S105 - the test's own
    assert "abcd" not in repr(sender)
