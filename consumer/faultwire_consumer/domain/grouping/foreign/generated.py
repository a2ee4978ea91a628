"""Names that compilers and runtimes give to what has none of its own: blocks, closures, lambdas, and more.

Each is the name of the function that it stands in, as comprehensions are in Python: a release that writes
a loop as a block, or a compiler that numbers closures anew, is no other fault.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from faultwire_consumer.domain.grouping.call import NAME_CHARACTERS
from faultwire_consumer.domain.grouping.language import Language

_NAMES: Final = 2048

_RUBY_INSIDE: Final = re.compile(
    r"^(?:(?:block|rescue|ensure)(?:\ \(\d{1,3}\ levels\))?\ in\ ){1,8}", re.VERBOSE
)
_RUBY_VIEW: Final = re.compile(r"_{2,3}-?\d{1,24}_-?\d{1,24}$")
_RUBY_OWNER: Final = re.compile(r"^(?:#<\w{1,64}[^>]{0,100}>|[\w:]{1,150})[#.](?=[^\s#.])")

_GO_TYPES: Final = re.compile(r"\[[^\]]{0,200}\]")
_GO_RECEIVER: Final = re.compile(r"\(\*?([\w.]{1,100})\)")
_GO_CLOSURE: Final = re.compile(r"(?:\.(?:func|gowrap|deferwrap)?\d{1,6}|-range\d{1,6}|-fm)+(?=$|\.)")

_JAVA_LAMBDA: Final = re.compile(r"^(?:lambda\$|\$anonfun\$)(\w{1,100}?)\$\d{1,6}(?:\$adapted)?$")
_KOTLIN_INSIDE: Final = re.compile(r"(?:\$(?:lambda|suspendImpl|default|\d{1,6})){1,8}(?:\$\d{1,6})?$")
_JAVA_ACCESS: Final = re.compile(r"^access\$\w{1,100}$")
_JAVA_PROXY: Final = re.compile(r"\$Proxy\d{1,6}$")

_PHP_CLOSURE: Final = re.compile(r"\{closure:(?:(?P<owner>[^(){}]{1,150})::)?[^{}]{0,200}\}")

_DOTNET_MACHINE: Final = re.compile(r"<(\w{1,100})>[a-z]__[\w|]{0,100}")
_DOTNET_CLOSURE: Final = re.compile(r"<>c(?:__DisplayClass\w{1,20})?[.+]")
_DOTNET_TYPES: Final = re.compile(r"`\d{1,3}|\[[^\]]{0,200}\]")

_RUST_INSIDE: Final = re.compile(r"::(?:\{\{closure\}\}|\{closure[^}]{0,20}\}|h[0-9a-f]{16})(?=$|::)")
_ELIXIR_INSIDE: Final = re.compile(
    r"^anonymous\ fn/\d{1,3}\ in\ |^-|-(?:fun|inlined|lc\$\^)[\w$^-]{0,30}$", re.VERBOSE
)
_SWIFT_INSIDE: Final = re.compile(
    r"^(?:(?:implicit\ )?closure\ \#\d{1,4}\ (?:\([^)]{0,100}\)\ )?in\ ){1,8}", re.VERBOSE
)


def _ruby(name: str) -> str:
    """Since Ruby 3.4 labels name their class; the file says it in all versions."""
    name = _RUBY_VIEW.sub("", _RUBY_INSIDE.sub("", name))
    return name if name.startswith("<") else _RUBY_OWNER.sub("", name)


def _go(name: str) -> str:
    return _GO_CLOSURE.sub("", _GO_RECEIVER.sub(r"\1", _GO_TYPES.sub("", name)))


def _java(name: str) -> str:
    return _KOTLIN_INSIDE.sub("", _JAVA_LAMBDA.sub(r"\1", name))


def _php(name: str) -> str:
    return _PHP_CLOSURE.sub(_php_closure, name)


def _php_closure(match: re.Match[str]) -> str:
    """Since PHP 8.4 a closure names what it stands in, behind its class or instead of it."""
    is_bare = match.start() == 0 and match["owner"]
    return f"{match['owner']}::{{closure}}" if is_bare else "{closure}"


def _dotnet(name: str) -> str:
    """Read signatures too, as in ``async Task Order.PayAsync(int id)``."""
    name = _DOTNET_CLOSURE.sub("", _DOTNET_MACHINE.sub(r"\1", _DOTNET_TYPES.sub("", name)))
    return name.partition("(")[0].strip().rpartition(" ")[2].removesuffix(".MoveNext") or name


def _rust(name: str) -> str:
    return _RUST_INSIDE.sub("", name)


def _elixir(name: str) -> str:
    return _ELIXIR_INSIDE.sub("", name)


def _swift(name: str) -> str:
    return _SWIFT_INSIDE.sub("", name)


_PLAIN: Final[dict[Language, Callable[[str], str]]] = {
    "ruby": _ruby,
    "go": _go,
    "java": _java,
    "php": _php,
    "dotnet": _dotnet,
    "rust": _rust,
    "elixir": _elixir,
    "swift": _swift,
}
LANGUAGES: Final[Sequence[Language]] = tuple(_PLAIN)


@lru_cache(_NAMES)
def plain_call(language: Language, module: str, name: str) -> tuple[str, str]:
    """Return a call's module and function without what was generated; unchanged in other languages."""
    plain = _PLAIN.get(language)
    if plain is None:
        return module, name
    module, name = module[:NAME_CHARACTERS], name[:NAME_CHARACTERS]
    if language == "dotnet" and name == "MoveNext" and (machine := _DOTNET_MACHINE.search(module)):
        return module[: machine.start()].rstrip("+."), machine[1]
    return (_GO_TYPES.sub("", module) if language == "go" else module), plain(name) or name


def is_glue(language: Language, module: str, name: str) -> bool:
    """True for a call that a compiler or a proxy put between two others: another release has none there."""
    if language != "java":
        return False
    return _JAVA_ACCESS.match(name) is not None or _JAVA_PROXY.search(module) is not None
