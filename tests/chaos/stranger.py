"""A service that knows the wire contract alone: it sends each message until it is taken, and some once more.

Usage: python -m tests.chaos.stranger WAY URL SERVICE SPOOL SEED PER_SECOND

One in ten messages carries an event that cannot be stored, beside one that can. Nothing here is faultwire's
client; `tests.chaos.book` says what its lines mean.
"""

import json
import os
import sys
import urllib.request
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pika
from pika.exceptions import AMQPError
from tests.chaos.client import is_over, say
from tests.chaos.trouble import GROUPS, SEVERITY_OF
from tests.tools.factories import raised, wire_event

POISON_SHARE: Final = 0.1
AGAIN_SHARE: Final = 0.3
PATIENCE_SECONDS: Final = 5
MOST: Final = 4
"""A second: a message more costs a connection."""

Send = Callable[[bytes], None]


def event_about(group: str, service: str) -> dict[str, Any]:
    """An event as any language may write it, of the same incident as all of its group."""
    error = raised("BrokenError", value=f"the {group} is broken")
    fields = {"severity": SEVERITY_OF[group], "fingerprint": [group], "exceptions": [error]}
    return wire_event(service=service, **fields)


def send_by_http(url: str, body: bytes) -> None:
    """Post it; 202 is the confirm."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/ingest/v1/events", body, headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - our own
        answer.read()


def send_by_amqp(url: str, body: bytes) -> None:
    """Publish it on a connection of its own, and wait for the confirm."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = parameters.socket_timeout = parameters.blocked_connection_timeout = (
        PATIENCE_SECONDS
    )
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
    channel.basic_publish("faultwire.events", "event.high.system.foreign", body, properties, mandatory=True)
    connection.close()


def sender_to(url: str, chance: Random) -> Send:
    """By the address; of a cluster any node's."""
    if url.startswith("http"):
        return lambda body: send_by_http(url, body)
    nodes = url.split(",")
    return lambda body: send_by_amqp(nodes[int(chance.random() * len(nodes))], body)


def send_until_taken(send: Send, body: bytes) -> bool:
    """Whether it was taken before this process was told to end."""
    while not is_over(0.1):
        try:
            send(body)
        except (OSError, AMQPError):
            continue
        return True
    return False


def send_one(send: Send, service: str, chance: Random) -> None:
    """One message, and once more by chance."""
    pid, groups = os.getpid(), [group for several in GROUPS.values() for group in several]
    group = groups[int(chance.random() * len(groups))]
    events = [event_about(group, service)]
    say("call", pid, group)
    say("told", pid, group, events[0]["id"], "buffered")
    if chance.random() < POISON_SHARE:
        events.append(event_about(group, service) | {"tags": "none"})
        say("poison", pid, events[1]["id"])
    body = json.dumps(events).encode()
    if send_until_taken(send, body):
        for event in events:
            say("kept", pid, event["id"])
        if chance.random() < AGAIN_SHARE:
            send_until_taken(send, body)


def main(url: str, service: str, seed: str, per_second: float) -> None:
    chance = Random(f"{seed}:{os.getpid()}")
    send = sender_to(url, chance)
    while not is_over(1 / min(per_second, MOST)):
        send_one(send, service, chance)


if __name__ == "__main__":
    _, url, service, _, seed, per_second = sys.argv[1:]
    main(url, service, seed, float(per_second))
