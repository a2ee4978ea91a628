"""A Sentry event of any SDK's time, read as an event of wire version 1; `read_event` is public."""

from faultwire_consumer.gateway.sentry.event.reader import UnreadableEventError, read_event

__all__ = ["UnreadableEventError", "read_event"]
