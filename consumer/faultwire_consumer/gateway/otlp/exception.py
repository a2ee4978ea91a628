"""An exception as attributes tell it: its type, its message, and its stack as one text."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.gateway.in_app import is_own_code
from faultwire_consumer.gateway.otlp.left import Left
from faultwire_consumer.gateway.otlp.value import plain_number, text_of
from faultwire_consumer.gateway.stack_text import read_stack
from faultwire_consumer.gateway.stack_text.type_name import (
    short_type,
    split_package_type,
    split_python_type,
)
from faultwire_shared.event import ExceptionInfo, Frame

TYPE: Final = "exception.type"
MESSAGE: Final = "exception.message"
STACK: Final = "exception.stacktrace"
_FILE: Final = ("code.file.path", "code.filepath")
_LINE: Final = ("code.line.number", "code.lineno")
_FUNCTION: Final = ("code.function.name", "code.function")
_MODULE: Final = "code.namespace"
_PACKAGED: Final = ("java", "kotlin", "scala", "dotnet", "csharp")


class TakenException(Struct, frozen=True, kw_only=True):
    """An exception's attributes, its stack not read yet."""

    type: str = ""
    message: str = ""
    stack: str = ""

    @property
    def is_there(self) -> bool:
        """True if anything tells of an exception."""
        return bool(self.type or self.message or self.stack)


def names_exception(attributes: Mapping[str, object]) -> bool:
    """Return True if a record tells of an exception, whatever its severity."""
    return bool(text_of(attributes.get(TYPE)) or text_of(attributes.get(MESSAGE)))


def take_exception(left: Left) -> TakenException:
    """Take an exception's attributes."""
    return TakenException(type=left.take(TYPE), message=left.take(MESSAGE), stack=left.take(STACK))


def chain_of(taken: TakenException, attributes: Mapping[str, Any], language: str) -> list[ExceptionInfo]:
    """Read an exception with its causes, the raised one first.

    The attributes win over the stack's text, but for a module that only the text names. Where no stack came,
    the place of the log's call is the one frame that is known.

    Args:
        taken: what the attributes say.
        attributes: the others, of which ``code.*`` is the place of the log's call.
        language: of the SDK; empty where it is not known.
    """
    found = read_stack(taken.stack, language=language or None) if taken.stack else []
    if not taken.type and not any(one.frames for one in found):
        return []
    raised = found[0] if found else ExceptionInfo(type="")
    frames = raised.frames or _frames_at(attributes, language)
    return [replace(_named(raised, taken, language), frames=frames), *found[1:]]


def _named(raised: ExceptionInfo, taken: TakenException, language: str) -> ExceptionInfo:
    text, message = raised.value, taken.message
    is_other = bool(taken.type) and short_type(taken.type) != short_type(raised.type)
    if is_other or ("." in taken.type and not raised.module):
        module, name = _split(taken.type, language)
        raised = replace(raised, type=name, module=module)
    # Python prints an exception's notes below its message.
    notes = text.removeprefix(message).strip("\n").split("\n") if _has_more(text, message, language) else []
    return replace(raised, value=message or text, notes=notes)


def _has_more(text: str, message: str, language: str) -> bool:
    return language == "python" and bool(message) and text.startswith(f"{message}\n")


def _split(name: str, language: str) -> tuple[str, str]:
    if language in _PACKAGED:
        return split_package_type(name)
    if language == "python":
        # Logging's handler leaves the module off; only of a built-in type it is known all the same.
        module, short = split_python_type(name)
        return ("" if "." not in name and module != "builtins" else module), short
    return "", name


def _frames_at(attributes: Mapping[str, Any], language: str) -> list[Frame]:
    file = next((text for name in _FILE if (text := text_of(attributes.get(name)))), "")
    function = next((text for name in _FUNCTION if (text := text_of(attributes.get(name)))), "")
    if not file and not function:
        return []
    line = next((number for name in _LINE if (number := plain_number(attributes.get(name)))), 0)
    module = text_of(attributes.get(_MODULE))
    in_app = is_own_code(file, module, language)
    return [Frame(file=file, module=module, qualname=function, line=max(line, 0), in_app=in_app)]
