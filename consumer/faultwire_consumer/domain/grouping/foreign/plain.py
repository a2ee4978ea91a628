"""An event of another language in the words that the fingerprint's versions know.

What is no stack of its own fault is left out here, and said so: then an exception is told by its text.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from msgspec.structs import replace

from faultwire_consumer.domain.grouping.call import is_of_library
from faultwire_consumer.domain.grouping.foreign.generated import is_glue, plain_call
from faultwire_consumer.domain.grouping.foreign.javascript_stack import plain_stack, system_error
from faultwire_consumer.domain.grouping.foreign.javascript_text import plain_text
from faultwire_consumer.domain.grouping.language import Language, language_of_files
from faultwire_consumer.domain.grouping.material import GroupingException, GroupingFrame, GroupingMaterial

SYNTHETIC: Final = "synthetic"
"""The attribute of an exception that an SDK made up for what was thrown and is none."""
TOLD_BY_TEXT: Final[Mapping[Language, Sequence[Language]]] = {
    "javascript": ("javascript",),
    "go": ("go",),
    "other": ("javascript", "go"),
}
"""Languages in which an exception's text may count beside its frames, and by whose wording it may."""

_THROWN: Final = "what was thrown is no error, and the frames are its reporter's"
_REPORTED: Final = "the frames are where it was reported"

_TEXT_CHARACTERS: Final = 4096
_INLINED: Final = ("<listcomp>", "<setcomp>", "<dictcomp>")
_RUBY_GEM: Final = re.compile(
    r"(?:sentry|raven|rack|puma|sidekiq|sinatra|active_\w{1,30}|action_\w{1,30}|railties)/"
)
_RUBY_OBJECT: Final = re.compile(r"#<([A-Z][\w:]{0,100}):0x[0-9a-f]{4,16}[^>\n]{0,400}>?")


def in_plain_words(grouping: GroupingMaterial) -> GroupingMaterial:
    """Return what an event is grouped by; events of faultwire's own clients are as they are."""
    chain, language = grouping.exceptions, grouping.language
    if not any(one.type for one in chain):
        return _logged(grouping)
    if not language and not any(is_synthetic(one.attributes) for one in chain):
        return grouping
    if language == "other":
        language = language_of_files(frame.file for one in chain for frame in reversed(one.frames))
    return replace(grouping, exceptions=_plain_chain(chain, language), language="")


def _logged(grouping: GroupingMaterial) -> GroupingMaterial:
    """Return a message without the stack that it may have: an exception that has no type is none."""
    chain, language = grouping.exceptions, grouping.language
    if not chain and not language:
        return grouping
    text = grouping.message or (chain[0].value if chain else "")
    return replace(grouping, message=comparable_text(language, text), exceptions=(), language="")


def is_synthetic(attributes: dict[str, Any]) -> bool:
    """True for an exception that an SDK made of a thrown text, number or object."""
    return attributes.get(SYNTHETIC) is True


def comparable_text(language: Language, text: str) -> str:
    """Return an exception's text as it counts in a language, with ids and amounts still in it."""
    if language == "javascript":
        return plain_text(text)
    if language == "ruby":
        return _RUBY_OBJECT.sub(r"#<\1>", text[:_TEXT_CHARACTERS])
    return text


def _plain_chain(chain: Sequence[GroupingException], language: Language) -> list[GroupingException]:
    if language != "python" and not any(frame.in_app for one in chain for frame in one.frames):
        chain = _claimed(chain, language)
    plain = [_plain(one, language) for one in chain]
    if language == "go":
        plain[-1] = replace(plain[-1], value=chain[0].value)  # it holds the causes' texts
    if language == "python":
        return [_without_lent(one, cause) for one, cause in pairwise(plain)] + plain[-1:]
    return plain


def _plain(exception: GroupingException, language: Language) -> GroupingException:
    frames: Sequence[GroupingFrame] = exception.frames
    attributes, why = exception.attributes, ""
    if is_synthetic(attributes):
        frames, why = (), _THROWN
    elif language == "javascript":
        frames, why = plain_stack(frames)
        attributes = system_error(attributes, exception.value)
    elif language:
        frames, why = _generated(frames, language), _REPORTED if language == "go" else ""
    return replace(
        exception,
        module="" if exception.type.startswith(f"{exception.module}::") else exception.module,
        value=comparable_text(language, exception.value),
        attributes=attributes,
        frames=list(frames),
        members=[_plain_chain(chain, language) for chain in exception.members if chain],
        told_by_text=why,
    )


def _without_lent(exception: GroupingException, cause: GroupingException) -> GroupingException:
    """Leave out an error number that old SDKs lend an exception from its cause."""
    number = exception.attributes.get("errno")
    if number is None or number != cause.attributes.get("errno"):
        return exception
    rest = {name: value for name, value in exception.attributes.items() if name != "errno"}
    return replace(exception, attributes=rest)


def _claimed(chain: Sequence[GroupingException], language: Language) -> list[GroupingException]:
    """Claim what is no library's where an SDK says of nothing that it is the application's.

    Ruby's does so of a script that is in no project.
    """
    return [
        replace(
            one,
            frames=[replace(frame, in_app=not _is_installed(frame, language)) for frame in one.frames],
        )
        for one in chain
    ]


def _is_installed(frame: GroupingFrame, language: Language) -> bool:
    return is_of_library(frame) or (language == "ruby" and _RUBY_GEM.match(frame.file) is not None)


def _generated(frames: Sequence[GroupingFrame], language: Language) -> list[GroupingFrame]:
    found: list[GroupingFrame] = []
    for frame in frames:
        if is_glue(language, frame.module, frame.qualname):
            continue
        module, name = plain_call(language, frame.module, frame.qualname)
        if name in _INLINED and found and found[-1].module == module:
            name = found[-1].qualname  # from Python 3.12 on these are no calls
        found.append(replace(frame, module=module, qualname=name))
    return found
