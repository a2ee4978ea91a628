"""The fingerprint of an event: the version that groups, and the one before, by which an old incident goes on.

A key is looked up by the new version first. Where it is seen for the first time, the incident that has
the old version's key takes it over, so that an upgrade splits nothing that it found.
"""

from collections.abc import Sequence
from typing import Final

from faultwire_consumer.domain.grouping import version_1, version_2
from faultwire_consumer.domain.grouping.foreign.plain import in_plain_words
from faultwire_consumer.domain.grouping.material import (
    Fingerprint,
    GroupingException,
    GroupingFrame,
    GroupingMaterial,
)
from faultwire_shared.identity.template import has_words

VERSION: Final = version_2.VERSION


def compute(grouping: GroupingMaterial) -> Fingerprint:
    """Compute the fingerprint of an event."""
    return version_2.compute(in_plain_words(grouping))


def earlier(grouping: GroupingMaterial) -> Fingerprint | None:
    """Compute the fingerprint that the version before gave; None where it put unlike events together.

    It took ``%s: %s`` for what events have in common: whatever a service logged so was one incident, which
    would go on to take in everything. And there was no gateway then: what it lets in has no incident of it.
    """
    if grouping.language:
        return None
    by_template = grouping.template and not grouping.exceptions and not grouping.explicit
    if by_template and not has_words(grouping.template or ""):
        return None
    return version_1.compute(grouping)


def identifying_frames(chain: Sequence[GroupingException]) -> list[GroupingFrame]:
    """Return the frames of a chain that identify its fault."""
    return version_2.identifying(chain).frames
