"""Secrets that a text reveals by the name before them: ``password=…``, JSON, headers, options, XML.

One pass from left to right: a name is read once, and the value that it announces is skipped as a whole,
so the time is linear for any text.
"""

import re
from collections.abc import Callable
from typing import Final

from faultwire_shared.scrub.value import SCRUBBED

PAIR_SIGNS: Final = (
    r"=|:|<|-(?:-|(?<=\s-)\w)|%(?=[23])|,(?<=[\"'],)(?=\s?b?\\{0,8}[\"'])"
    r"|'(?<=[dDeEtT] ')|'(?<=[dDeEtT] \\')|\"(?<=[dDeEtT] \")|\"(?<=[dDeEtT] \\\")"
)
"""Signs of which every pair has one; as one alternation of literals, which is searched fastest."""
_find_sign: Final = re.compile(PAIR_SIGNS).search

_LETTERS: Final = r"(?:[\w.\-\[\]$@]|%5[BbDdFf]|%2[DdEe])++"

_SPACE: Final = r"(?:\s|\\{1,4}[nrt](?![A-Za-z]))"
"""White space, including its form in a ``repr`` or JSON."""


def _announcing(quote: str, sign: str) -> str:
    """Build the pattern that makes a name announce a value: a sign, or a quoted value right after it."""
    return (
        rf"(?P<{quote}>\\{{0,8}}+[\"'`]|%2[27])?+[)\]]?+(?:{_SPACE}{{0,16}}+"
        rf"(?P<{sign}>=>|:=|[=!]?={{1,3}}|:(?!//)|%3[AaDd]|(?({quote}),|(?!)))"
        r"|[ \t]{1,4}+(?=\\{0,8}[\"']))"
    )


# Anchored where the last match ended, and skipped text is never read again.
_NAME: Final = re.compile(
    r"(?:[^\w.\-\[\]$@%]++|%(?!5[BbDdFf]|2[DdEe])(?:[0-9A-Fa-f]{2})?+"
    rf"|{_LETTERS}(?!{_announcing('quote_passed', 'sign_passed')}))*+"
    rf"(?P<name>{_LETTERS}){_announcing('quote', 'sign')}{_SPACE}{{0,16}}+"
)
_OPENING: Final = re.compile(
    r"(?:[bBrRfFuU]{1,2})?(?P<delimiter>\"\"\"|'''|(?P<one>\\{0,8}[\"'`])(?:(?P=one){2})?+|%2[27])"
)
_SCHEME: Final = re.compile(
    r"(?:bearer|basic|token|digest|negotiate|apikey|jwt|aws4-hmac-sha256)(?:[ \t+]|%20){1,4}", re.IGNORECASE
)
_BARE: Final = re.compile(
    r"(?:[^\s&;,'\"<>\\%]"
    r"|[&;,](?!\s|\Z|[\w.\-\[\]%]{1,40}+[\"'\\]{0,4}[=:])"
    r"|\\{0,8}[\"'](?=\w)|\\(?![nrt]|\\{0,8}[\"'])|%(?!26|22|27|2[Cc]|7[Dd]|0[AaDd])|[<>](?!/))++"
)
_BRACKET: Final = re.compile(r"\\.|\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?|[\[{(]|[\]})]", re.DOTALL)
_LINE: Final = re.compile(r"(?:[^\r\n\\]|\\(?![nr]))*+")
_QUOTED_LINES: Final = {quote: re.compile(rf"(?:[^\r\n\\{quote}]|\\[^nr\r\n])*+") for quote in ("'", '"')}
_LINE_ENDS: Final = re.compile(r"\n|\\{1,4}n")
_ANGLE: Final = re.compile(r"<[^<>]*+>?")
_FORM_BODY: Final = re.compile(
    r"(?:[^\r\n\\]{0,200}+)(?:\r?\n\r?\n|(?:\\{1,4}r)?\\{1,4}n(?:\\{1,4}r)?\\{1,4}n)(?=[^\r\n\\-])"
)
_ANNOTATED: Final = re.compile(
    r"[\w.\[\]]{1,60}(?: ?\| ?[\w.\[\]]{1,40}){0,3} {0,3}=\s{0,8}(?=[bBrRfFuU]{0,2}\\{0,8}[\"'0-9])"
)
_LITERAL: Final = re.compile(r"(?:[\w.]{1,60}\(\s{0,4})?+(?:[bBrRfFuU]{0,2}[\"'`]|[0-9])|[\[{]")
_SOURCE_CHARACTERS: Final = 1_000
"""Limit of a source line: a longer one is not a program that somebody wrote."""
_NOTHING: Final = re.compile(
    r"(?:none|null|nil|undefined|true|false|\[scrubbed\]|\[filtered\]|\*{1,100})?[)\]}.]{0,9}", re.IGNORECASE
)

_OPTION: Final = re.compile(
    r"(?P<head>(?<![\w-])--?(?P<name>[A-Za-z][\w-]{1,60}+)(?:[ \t]{1,8}+|[\"'],[ \t]{0,4}(?=[\"'])))(?!-)"
    r"(?:'[^']*+'?|\"[^\"]*+\"?|\[scrubbed\]|[^\s'\",\]]++)"
)
_ELEMENT: Final = re.compile(
    r"(?P<head><(?P<name>[A-Za-z_][\w:.-]{0,80}+)(?P<more>\s[^<>]{0,400}+)?>(?:<!\[CDATA\[)?)(?P<value>[^<]++)"
)

_HEADERS: Final = ("authorization", "cookie", "cookie2")
_PROSE: Final = frozenset(("auth", "session"))
"""Names that sentences use before a colon: "auth: connection refused" reveals no secret."""
LABELS: Final = frozenset(
    ("name", "key", "field", "header", "param", "parameter", "option", "variable", "id", "loc")
)
VALUES: Final = frozenset(("value", "val", "values", "input", "input_value", "content", "data", "default"))
_TELLING: Final = LABELS | VALUES
_SPOKEN: Final = ("password", "passwd", "passphrase", "secret")
"""Names that need no sign before a quoted value: ``ALTER USER shop PASSWORD '…'``."""

IsDenied = Callable[[str], bool]


def scrub_pairs(text: str, is_denied: IsDenied, *, source: bool = False) -> str:
    """Remove the values that denied names announce; in a program's source only literals."""
    if _find_sign(text) is None:
        return text
    text = _Pass(text, is_denied, source=source).run()
    if "--" in text or " -" in text:
        text = _without_options(text, is_denied)
    return _without_elements(text, is_denied) if "<" in text else text


class _Pass:
    """One pass over a text."""

    def __init__(self, text: str, is_denied: IsDenied, *, source: bool) -> None:
        self._text = text
        self._is_denied = is_denied
        self._source = source and len(text) <= _SOURCE_CHARACTERS
        self._kept: list[str] = []
        self._copied = 0
        self._labelled = False

    def run(self) -> str:
        at = 0
        while (match := _NAME.match(self._text, at)) is not None:
            name, at = match["name"], match.end()
            if self._is_denied(name) or _plain(name) in _TELLING:
                at = self._read(match, at)
        return "".join([*self._kept, self._text[self._copied :]]) if self._kept else self._text

    def _read(self, match: re.Match[str], at: int) -> int:
        """Remove the value that a name announces, if it is denied; return where to read on."""
        name, sign = match["name"], match["sign"]
        if sign == "," and not self._is_pair(match):
            return match.end("name")
        if not sign and not name.lower().endswith(_SPOKEN):
            return match.end("name")
        plain = _plain(name)
        if plain in LABELS and sign in ("=", ":"):
            return self._read_label(at)
        is_denied = (self._labelled or self._is_field_denied(match)) if plain in VALUES else False
        if not is_denied and not self._is_denied(name):
            return at
        self._labelled = False
        if sign == ":" and not match["quote"] and plain in _PROSE:
            return at
        return self._remove(match, at)

    def _read_label(self, at: int) -> int:
        """Read ``name="password" … value="…"``, as in forms, JSON and validation errors."""
        opening = _OPENING.match(self._text, at)
        if opening is None:
            return at
        end = _closing(self._text, opening["delimiter"], opening.end())
        self._labelled = self._is_denied(self._text[opening.end() : min(end, opening.end() + 200)])
        behind = end + len(opening["delimiter"])
        body = _FORM_BODY.match(self._text, behind) if self._labelled else None
        if body is None:
            return end
        self._labelled = False
        return self._cut(body.end(), _end(_LINE, self._text, body.end()))

    def _remove(self, match: re.Match[str], at: int) -> int:
        annotated = _ANNOTATED.match(self._text, at) if match["sign"] == ":" else None
        if annotated is not None:
            at = annotated.end()
        if self._is_code(match) and not _LITERAL.match(self._text, at):
            return at
        start, end = self._value(match, at)
        if _NOTHING.fullmatch(self._text, start, end):
            return end
        return self._cut(start, end)

    def _is_code(self, match: re.Match[str]) -> bool:
        """Return True for a name in a program, not one inside a string or a comment."""
        if not self._source:
            return False
        before = self._text[: match.start("name")]
        quoted = match["quote"] is not None or before.count('"') % 2 or before.count("'") % 2
        return not quoted and "#" not in before

    def _value(self, match: re.Match[str], at: int) -> tuple[int, int]:
        """Find the beginning and end of the value; one that is cut short ends with the text."""
        text = self._text
        opening = _OPENING.match(text, at)
        if opening is not None:
            return opening.end(), _closing(text, opening["delimiter"], opening.end())
        if text[at : at + 1] in ("[", "{", "("):
            return at, bracket_end(text, at)
        name = match["name"].lower()
        if match["sign"] == ":" and name.endswith(_HEADERS):
            begun = match.start("name")
            quote = text[begun - 1 : begun]
            return at, _end(_QUOTED_LINES.get(quote, _LINE), text, at)
        scheme = _SCHEME.match(text, at)
        start = scheme.end() if scheme else at
        end = _end(_BARE, text, start)
        if end == start and text[start : start + 1] == "<":
            end = _end(_ANGLE, text, start)
        return start, end

    def _cut(self, start: int, end: int) -> int:
        if end > start:
            self._kept += (self._text[self._copied : start], SCRUBBED)
            self._copied = end
        return end

    def _is_pair(self, match: re.Match[str]) -> bool:
        """Recognise ``("password", "…")``: a quoted name after a bracket, and a quoted value."""
        if not match["quote"]:
            return False
        before = self._text[max(0, match.start("name") - 12) : match.start("name")].rstrip("bBuU'\"\\`")
        return before.endswith(("(", "[")) and _OPENING.match(self._text, match.end()) is not None

    def _is_field_denied(self, match: re.Match[str]) -> bool:
        """Look for a denied field above: Pydantic's errors name the field on the line before the input."""
        if match["name"] != "input_value":
            return False
        begun = match.start("name")
        lines = _LINE_ENDS.split(self._text[max(0, begun - 600) : begun])
        return len(lines) > 1 and self._is_denied(lines[-2].strip())


def _plain(name: str) -> str:
    return name.lower().rpartition(".")[2]


def _closing(text: str, delimiter: str, start: int) -> int:
    """Find the end of a quoted value.

    A quote after an odd number of backslashes is part of it, and so is one after an even number before a
    letter: the text may be a literal inside another.
    """
    at = text.find(delimiter, start)
    while at >= 0:
        before = text[start:at] if at - start <= 64 else text[at - 64 : at]
        slashes = len(before) - len(before.rstrip("\\"))
        behind = text[at + len(delimiter) : at + len(delimiter) + 1]
        if slashes % 2 == 0 and not (slashes and behind.isalnum()):
            return at
        at = text.find(delimiter, at + len(delimiter))
    return len(text)


def bracket_end(text: str, start: int) -> int:
    """Find the end of what a bracket opens, quoted ones apart; the text's where it is cut short."""
    depth = 0
    for token in _BRACKET.finditer(text, start):
        if token[0] in "[{(":
            depth += 1
        elif token[0] in "]})":
            depth -= 1
            if depth == 0:
                return token.end()
    return len(text)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


def _without_options(text: str, is_denied: IsDenied) -> str:
    """Remove the value of ``--password …`` on a command line."""

    def cut(match: re.Match[str]) -> str:
        return f"{match['head']}{SCRUBBED}" if is_denied(match["name"]) else match[0]

    return _OPTION.sub(cut, text)


def _without_elements(text: str, is_denied: IsDenied) -> str:
    """Remove the content of ``<password>…</password>`` in XML."""

    def cut(match: re.Match[str]) -> str:
        # "<Session object at 0x7f…> is closed" is not XML.
        is_element = "=" in (match["more"] or "=") and match["value"].strip()
        denied = is_element and is_denied(match["name"].rpartition(":")[2])
        return f"{match['head']}{SCRUBBED}" if denied else match[0]

    return _ELEMENT.sub(cut, text)
