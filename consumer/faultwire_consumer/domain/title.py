"""How an incident is called in a list: what happened, and where."""

from typing import Final

from faultwire_consumer.domain.fingerprint import GroupingMaterial, identifying_frames
from faultwire_shared.text import storable

TITLE_CHARACTERS: Final = 200
CULPRIT_CHARACTERS: Final = 200


def title_of(grouping: GroupingMaterial) -> str:
    """The raised exception and the first line of what it says; without one, the message."""
    if not grouping.exceptions:
        return _one_line(grouping.message or grouping.template or grouping.code) or "(no message)"
    raised = grouping.exceptions[0]
    said = _one_line(raised.value) or _one_line(grouping.message)
    return f"{raised.type}: {said}"[:TITLE_CHARACTERS] if said else raised.type[:TITLE_CHARACTERS]


def culprit_of(grouping: GroupingMaterial) -> str:
    """The innermost identifying call, as ``module in function``; empty without frames."""
    frames = identifying_frames(grouping.exceptions) if grouping.exceptions else []
    for frame in reversed([frame for frame in frames if frame.in_app] or frames[-1:]):
        return f"{frame.module or frame.file} in {frame.qualname}"[:CULPRIT_CHARACTERS]
    return ""


def _one_line(text: str) -> str:
    return storable(text.strip().partition("\n")[0]).strip()[:TITLE_CHARACTERS]
