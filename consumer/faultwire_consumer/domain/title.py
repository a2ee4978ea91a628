"""Title and culprit of an incident in a list: what happened, and where."""

from typing import Final

from faultwire_consumer.domain.fingerprint import identifying_frames
from faultwire_consumer.domain.grouping.material import GroupingMaterial
from faultwire_shared.text import storable

TITLE_CHARACTERS: Final = 200
CULPRIT_CHARACTERS: Final = 200


def title_of(grouping: GroupingMaterial) -> str:
    """Build the title: the raised exception and the first line of its text; without one, the message."""
    if not grouping.exceptions:
        return _one_line(grouping.message or grouping.template or grouping.code) or "(no message)"
    raised = grouping.exceptions[0]
    text = _one_line(raised.value) or _one_line(grouping.message)
    return f"{raised.type}: {text}"[:TITLE_CHARACTERS] if text else raised.type[:TITLE_CHARACTERS]


def culprit_of(grouping: GroupingMaterial) -> str:
    """Return the innermost identifying call, as ``module in function``; empty without frames."""
    frames = identifying_frames(grouping.exceptions) if grouping.exceptions else []
    for frame in reversed([frame for frame in frames if frame.in_app] or frames[-1:]):
        return f"{frame.module or frame.file} in {frame.qualname}"[:CULPRIT_CHARACTERS]
    return ""


def _one_line(text: str) -> str:
    return storable(text.strip().partition("\n")[0]).strip()[:TITLE_CHARACTERS]
