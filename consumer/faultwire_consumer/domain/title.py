"""Title and culprit of an incident in a list: what happened, and where."""

from typing import Final

from faultwire_consumer.domain.fingerprint import identifying_frames
from faultwire_consumer.domain.grouping.foreign.javascript_stack import BUNDLE
from faultwire_consumer.domain.grouping.foreign.plain import in_plain_words
from faultwire_consumer.domain.grouping.material import GroupingMaterial
from faultwire_shared.text import storable

TITLE_CHARACTERS: Final = 200
CULPRIT_CHARACTERS: Final = 200
_SEGMENTS: Final = 3


def title_of(grouping: GroupingMaterial) -> str:
    """Build the title: the raised exception and the first line of its text; without one, the message.

    An exception without a type is a message that has a stack.
    """
    if not grouping.exceptions:
        return _one_line(grouping.message or grouping.template or grouping.code) or "(no message)"
    raised = grouping.exceptions[0]
    text = _one_line(raised.value) or _one_line(grouping.message)
    if not raised.type:
        return text or grouping.code or "(no message)"
    return f"{raised.type}: {text}"[:TITLE_CHARACTERS] if text else raised.type[:TITLE_CHARACTERS]


def culprit_of(grouping: GroupingMaterial) -> str:
    """Return the innermost identifying call, as ``module in function``; empty without frames.

    Of the files of other languages it is the end. Where frames do not identify, as those of a logged message
    do not, none is named: the incident's next event has others.
    """
    chain = in_plain_words(grouping).exceptions
    frames = identifying_frames(chain) if chain else []
    for frame in reversed([frame for frame in frames if frame.in_app] or frames[-1:]):
        file = _short_path(frame.file) if grouping.language else frame.file
        place = file if frame.module == BUNDLE else frame.module or file
        return f"{place} in {frame.qualname}"[:CULPRIT_CHARACTERS]
    return ""


def _short_path(path: str) -> str:
    return "/".join(path.split("/")[-_SEGMENTS:])


def _one_line(text: str) -> str:
    return storable(text.strip().partition("\n")[0]).strip()[:TITLE_CHARACTERS]
