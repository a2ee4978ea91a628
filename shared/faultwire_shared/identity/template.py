"""Templates of messages: the text before its values were put in."""

import re
from typing import Final

_TEXT_CHARACTERS: Final = 512

_PLACE: Final = re.compile(
    r"%(?:\(\w{0,64}\))?[#0 +-]{0,5}(?:\*|\d{0,5})(?:\.(?:\*|\d{0,5}))?[a-zA-Z%]"
    r"|\$?\{[^{}]{0,200}\}|\$\w{1,64}"
)
_WORD: Final = re.compile(r"[^\W\d_]{2,64}")
_HOLLOW: Final = {
    *("an", "the", "error", "errors", "err", "exception", "exceptions", "exc", "failure", "failed", "fatal"),
    *(
        "critical",
        "warning",
        "unexpected",
        "unhandled",
        "uncaught",
        "occurred",
        "message",
        "msg",
        "traceback",
    ),
}


def has_words(template: str) -> bool:
    """True if a template says what happened; ``%s: %s`` and ``Error: {}`` do not."""
    return any(
        word.lower() not in _HOLLOW for word in _WORD.findall(_PLACE.sub(" ", template[:_TEXT_CHARACTERS]))
    )
