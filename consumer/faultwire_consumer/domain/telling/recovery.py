"""Recovery notices and escalations: what they follow, and whether it was told. Pure."""

from enum import StrEnum

from faultwire_consumer.domain.incident import Transition, TransitionReason
from faultwire_consumer.domain.notification import NotificationReason

DETAIL_CHARACTERS = 500
_OF_TRANSITION = {
    TransitionReason.ACKNOWLEDGED: NotificationReason.ACKNOWLEDGED,
    TransitionReason.RESOLVED: NotificationReason.RESOLVED,
    TransitionReason.AUTO_RESOLVED: NotificationReason.RESOLVED,
}


class Told(StrEnum):
    """State of the notifications that a recovery notice or an escalation follows."""

    YES = "yes"
    """One of them was sent, or may have arrived."""
    NOT_YET = "not_yet"
    """None was sent, and one is on its way."""
    NO = "no"
    """None of them was sent, and none will be."""


def recovery_of(transition: Transition) -> NotificationReason | None:
    """Return what a transition is to those who were told of the incident; None: nothing.

    An acknowledgement with another end, or a resolve in another release, changes no status.
    """
    if transition.before is transition.after:
        return None
    return _OF_TRANSITION.get(transition.reason)


def describe_recovery(transition: Transition) -> str:
    """Say who did it and what they said: other people's texts, as they are, bounded."""
    told = (f"by {transition.actor}", transition.detail, transition.note)
    return ": ".join(text for text in told if text)[:DETAIL_CHARACTERS]


def encode_hears(hears: frozenset[NotificationReason]) -> str | None:
    """Return the reasons that a receiver asks for as the outbox keeps them; None for none."""
    return " ".join(sorted(hears)) or None


def does_hear(text: str | None, reason: NotificationReason) -> bool:
    """Return True if the reason is among those that the outbox keeps of a receiver."""
    return text is not None and reason.value in text.split(" ")
