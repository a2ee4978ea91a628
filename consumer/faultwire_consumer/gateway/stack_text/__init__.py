"""Stacks that came as the text that each language prints, read into exceptions and frames."""

from functools import lru_cache
from typing import Final

from faultwire_consumer.gateway.stack_text.java import looks_like_java, read_java
from faultwire_consumer.gateway.stack_text.javascript import read_javascript
from faultwire_consumer.gateway.stack_text.python import FRAME, HEADERS, read_python
from faultwire_shared.event import ExceptionInfo

STACK_CHARACTERS: Final = 64 * 1024
"""What is read of a stack; of a longer text the beginning and the end."""
_BEGINNING: Final = 24 * 1024
_STACKS: Final = 50
_REMEMBERED: Final = 8 * 1024
"""Characters of the largest stack that is remembered with what it says."""
_JAVASCRIPT: Final = ("javascript", "nodejs", "node", "webjs")


def read_stack(text: str, *, language: str | None) -> list[ExceptionInfo]:
    """Read a stack in the form that it shows, the raised exception first; never raises.

    Args:
        text: as the language printed it.
        language: as OpenTelemetry's ``telemetry.sdk.language`` names it; decides where the form does not.

    Returns:
        The chain; empty where it is of no known form. An exception without a stack has no frames.
    """
    if len(text) <= _REMEMBERED:
        return [*_known(text, language)]
    return _read(_shortened(text), language)


# A failure comes many times over.
@lru_cache(_STACKS)
def _known(text: str, language: str | None) -> tuple[ExceptionInfo, ...]:
    return tuple(_read(text, language))


def _read(text: str, language: str | None) -> list[ExceptionInfo]:
    text = text.replace("\r\n", "\n")
    if any(header in text for header in HEADERS) or text.startswith(FRAME) or f"\n{FRAME}" in text:
        return read_python(text)
    if looks_like_java(text):
        return read_java(text)
    found = read_javascript(text)
    if any(one.frames for one in found):
        return found
    if language == "python":
        return read_python(text)
    return found if language in _JAVASCRIPT else []


def _shortened(text: str) -> str:
    if len(text) <= STACK_CHARACTERS:
        return text
    end = text[_BEGINNING - STACK_CHARACTERS :]
    return text[:_BEGINNING].rpartition("\n")[0] + "\n" + end.partition("\n")[2]
