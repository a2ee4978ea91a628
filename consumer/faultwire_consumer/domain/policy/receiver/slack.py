"""A receiver that is an incoming webhook of Slack's, or of a chat that takes Slack's format."""

from enum import StrEnum

from msgspec import Struct

from faultwire_consumer.domain.policy.receiver.network import Network, read_allowed
from faultwire_consumer.domain.policy.receiver.webhook import read_url
from faultwire_consumer.domain.policy.secret import Secret, SecretSource
from faultwire_consumer.domain.policy.table import Table


class Chat(StrEnum):
    """The chat that reads the message: what it knows of Slack's format, and how it escapes, differ."""

    SLACK = "slack"
    MATTERMOST = "mattermost"
    DISCORD = "discord"


class Slack(Struct, frozen=True, kw_only=True):
    """Posts each notification as a message of a chat."""

    url: SecretSource
    """Its path is the password."""
    chat: Chat = Chat.SLACK
    allow_private_addresses: tuple[Network, ...] = ()


def read_slack(table: Table) -> Slack:
    """Read what a receiver of this type has of its own.

    Raises:
        PolicyError: something in it is not valid.
    """
    return Slack(
        url=_read_address(table),
        chat=table.enum("chat", Chat) or Chat.SLACK,
        allow_private_addresses=read_allowed(table),
    )


def _read_address(table: Table) -> SecretSource:
    url, file = table.read("url", read_url, None), table.text("url_file")
    if url is not None and file is not None:
        raise table.error("url_file", "url or url_file, not both")
    if file is not None:
        return SecretSource(key="url_file", file=file)
    if url is None:
        raise table.missing("url", "the chat's incoming webhook, or url_file = the file that holds it")
    return SecretSource(key="url", text=Secret(url))
