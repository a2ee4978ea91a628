"""The texts of JavaScript's engines in one wording, without a minifier's names, where a text is what tells.

A property that is missing is what the code names, and tells two faults apart: it stands in quotes, and
texts are compared without what is quoted.
"""

import re
from typing import Final

_TEXT_CHARACTERS: Final = 4096

_NAME: Final = r"[\w$#]{1,100}"
_MISSING: Final = (
    re.compile(
        rf"^Cannot (?P<does>read|set) properties of (?P<of>undefined|null)"
        rf" \((?:reading|setting) '(?P<name>{_NAME})'\)"
    ),
    re.compile(rf"^Cannot (?P<does>read|set) property '(?P<name>{_NAME})' of (?P<of>undefined|null)"),
    re.compile(rf"^can't access property \"(?P<name>{_NAME})\", .{{1,200}} is (?P<of>undefined|null)$"),
    re.compile(
        rf"^(?P<of>undefined|null) is not an object \(evaluating '[^'\n]{{1,200}}?\.(?P<name>{_NAME})"
        r"(?:\([^'\n]{0,200}\))?'\)"
    ),
)
_NOT_SO: Final = re.compile(
    r"^(?P<what>[\w$.()\[\]\"'<> ]{1,200}?) is not (?P<a>a function|a constructor|iterable|defined)"
    r"(?:\. \(In .{0,400})?$",
    re.DOTALL,
)
_NO_VARIABLE: Final = re.compile(rf"^Can't find variable: (?P<name>{_NAME})$")
_SHORT: Final = re.compile(r"(?<![\w$.'\"])[A-Za-z_$][\w$]{0,2}(?=[.(\[]|$)")
"""Names of up to three characters that something is read from or that stand alone: a minifier's, mostly."""
_REACT: Final = re.compile(r"(?<=Minified React error #)\d{1,5}")
_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def plain_text(text: str) -> str:
    """Return an exception's text as it is compared; the lines behind the first stay as they are."""
    text = text[:_TEXT_CHARACTERS]
    for pattern in _MISSING:
        if found := pattern.search(text):
            return f"cannot {found.groupdict().get('does') or 'read'} {found['name']} of {found['of']}"
    if found := _NO_VARIABLE.search(text):
        return f"{_SHORT.sub('_', found['name'])} is not defined"
    if found := _NOT_SO.search(text):
        return f"{_without_quotes(_SHORT.sub('_', found['what']))} is not {found['a']}"
    return _REACT.sub(_spelled, text)


def _without_quotes(text: str) -> str:
    return text.replace("'", "").replace('"', "")


def _spelled(match: re.Match[str]) -> str:
    """Write a number as words: it says which fault it is, and numbers do not count in texts."""
    return "-".join(_DIGITS[int(digit)] for digit in match[0])
