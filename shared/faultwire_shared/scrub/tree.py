"""Removes secrets from texts and nested values, such as an event's open fields and a log line."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from faultwire_shared.event import NAME_CHARACTERS, STRING_CHARACTERS
from faultwire_shared.memo import Memo
from faultwire_shared.scrub.key import KeyRules
from faultwire_shared.scrub.pair import LABELS, PAIR_SIGNS, VALUES, scrub_pairs
from faultwire_shared.scrub.statement import scrub_statements
from faultwire_shared.scrub.value import (
    CARD_MIN,
    SCRUBBED,
    VALUE_SIGNS,
    closes_key,
    is_card,
    opens_key,
    scrub_values,
)
from faultwire_shared.snapshot import Snapshot, clean_text

DEPTH: Final = 60
"""Deeper than any event of ours; anything that a stranger nests deeper is not read, and so not kept."""
_CARD_MAX: Final = 10**19
_PLAIN_KINDS: Final = (int, float, bool, type(None))
_CUT_DIGITS: Final = re.compile(r"[2-6](?:[ -]?[0-9]){6,17}\Z")
_NAME: Final = re.compile(r"b?[\"']?([\w.\-\[\]$@]{1,100})[\"']?")
_CUT_CHARACTERS: Final = 30
_QUOTES: Final = ("b", '"', "'")
"""What a name in a list may begin with, as far as it is no part of it."""
_LITERAL_LINE: Final = re.compile(r"\s*[bBrRfFuU]{0,2}[\"']")
_NAME_ABOVE: Final = re.compile(
    r"(?:[\"'](?P<key>[\w.-]++)[\"']\s{0,4}:|(?<![\w.])(?P<name>[\w.]++)(?:\s{0,4}:[^=\"']{1,60}+)?\s{0,4}=)"
    r"\s{0,4}[(\[{\\]?\s*+\Z"
)
_NAME_ABOVE_CHARACTERS: Final = 200
_CARD_SIGNS: Final = "|".join(rf"{first}(?=[0-9 -]{{11}})" for first in "23456")
_find_sign: Final = re.compile(f"{PAIR_SIGNS}|{VALUE_SIGNS}|{_CARD_SIGNS}").search


def is_plain(text: str) -> bool:
    """Return True if a text has no sign of a secret in it; most have none, and cost no more than this."""
    return _find_sign(text) is None


class Tree:
    """Walks values with one set of rules; always returns values that JSON can represent."""

    def __init__(self, rules: KeyRules) -> None:
        self._is_denied = rules.is_denied
        self._judge = rules.judge
        self._keys: Memo[str, str] = Memo()
        self._marks: Memo[str, None] = Memo()
        """Texts in angle brackets without a secret: names of types, which snapshots give again and again."""

    def text(self, text: object) -> str:
        """Return a text without its secrets."""
        plain = text if type(text) is str else clean_text(text)
        if len(plain) >= STRING_CHARACTERS:
            plain = _without_cut_digits(plain)
        if is_plain(plain) or plain in self._marks:
            return plain
        if "[parameters: " in plain:
            plain = scrub_statements(plain, self._is_denied)
        found = scrub_pairs(scrub_values(plain), self._is_denied)
        if plain[:1] == "<" and found == plain and len(plain) <= NAME_CHARACTERS:
            self._marks[plain] = None
        return found

    def source(self, line: object) -> str:
        """Scrub a line of a program: names stay, literals assigned to a denied name go."""
        plain = line if type(line) is str else clean_text(line)
        if is_plain(plain):
            return plain
        return scrub_pairs(scrub_values(plain), self._is_denied, source=True)

    def value(self, value: object, depth: int = 0) -> Any:
        """Scrub any value; one that is not JSON is converted first."""
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind in _PLAIN_KINDS:
            return SCRUBBED if _is_card_number(value) else value
        if depth >= DEPTH:
            return SCRUBBED
        if isinstance(value, dict):
            return self.mapping(value, depth)
        if isinstance(value, list):
            return self.items(value, depth=depth)
        return self.value(Snapshot().mapping("value", {"value": value}).get("value"), depth + 1)

    def mapping(self, mapping: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
        """Scrub a mapping: the values of denied keys go, and secrets in the keys themselves."""
        if type(mapping) is not dict:
            mapping = Snapshot().mapping("value", mapping)
        labelled = self._is_labelled(mapping)
        found: dict[str, Any] = {}
        inside = False
        for key, value in mapping.items():
            name = key if type(key) is str else clean_text(key)
            shown = self._shown(name)
            if shown in found:
                shown = f"{shown} {len(found)}"
            if self._is_denied(name) or (labelled and name.lower() in VALUES):
                found[shown] = hidden(value)
            elif inside and type(value) is str:
                found[shown], inside = SCRUBBED, not closes_key(value)
            else:
                found[shown] = self.value(value, depth + 1)
                inside = type(value) is str and opens_key(value)
        return found

    def items(self, items: list[Any], *, depth: int = 0) -> list[Any]:
        """Scrub a list; a secret may follow its name, as the value of a pair or the next argument."""
        if len(items) == 2 and self.names_secret(items[0]):
            return [self.value(items[0]), hidden(items[1])]
        return self.parts(items, depth=depth)

    def source_lines(self, lines: Iterable[Any]) -> list[Any]:
        """Scrub lines of a program that follow one another, as ``source`` does each of them.

        A literal may stand on a line of its own below its name, and a private key on many.
        """
        found: list[Any] = []
        inside = named = False
        for line in lines:
            if type(line) is not str:
                found.append(self.value(line, 1))
            elif inside or (named and _LITERAL_LINE.match(line)):
                found.append(hidden(line))
                inside = inside and not closes_key(line)
            else:
                found.append(self.source(line))
                inside, named = opens_key(line), self._names_literal_below(line)
        return found

    def _names_literal_below(self, line: str) -> bool:
        """Return True for ``password = (`` and ``"password":`` at a line's end."""
        match = _NAME_ABOVE.search(line, max(0, len(line) - _NAME_ABOVE_CHARACTERS))
        return match is not None and self._is_denied(match["key"] or match["name"])

    def parts(self, items: Iterable[Any], *, depth: int = 0) -> list[Any]:
        """Scrub items that are not pairs: lines, arguments. A private key may have each line in an item."""
        found: list[Any] = []
        inside = announced = False
        for item in items:
            if announced or (inside and type(item) is str):
                found.append(hidden(item))
                inside, announced = inside and not closes_key(clean_text(item)), False
            elif type(item) is str:
                found.append(self.text(item))
                inside, announced = opens_key(item), self._announces(item)
            else:
                found.append(self.value(item, depth + 1))
        return found

    def is_inert(self, text: str) -> bool:
        """Return True if a string has no secret and announces none, whatever it is: key, item, line or value.

        Every rule here looks at one string, or at what stands beside one that is a denied name, names a
        literal below, or opens a private key, which goes itself. So in a document of inert strings alone
        nothing but numbers can be a secret.
        """
        if self._judge(text) or (text[:1] in _QUOTES and self.names_secret(text)):
            return False
        if len(text) < STRING_CHARACTERS and is_plain(text):
            return True
        return self.text(text) == text == self.source(text) and not self._names_literal_below(text)

    def _shown(self, key: str) -> str:
        shown = self._keys.get(key)
        if shown is None:
            shown = self.text(key)
            self._keys[key] = shown
        return shown

    def is_plain_key(self, key: object, mapping: Mapping[Any, Any]) -> bool:
        """Return True if a key neither announces a secret nor is one, given the other keys."""
        if not isinstance(key, str) or self._is_denied(key) or self._shown(key) != key:
            return False
        return key.lower() not in VALUES or not self._is_labelled(mapping)

    def names_secret(self, item: object) -> bool:
        """Return True if an item is a denied name, as in headers given as pairs, in bytes too."""
        name = _NAME.fullmatch(item) if isinstance(item, str) else None
        return name is not None and self._is_denied(name[1])

    def _announces(self, item: str) -> bool:
        """Return True if the next item is this one's value: ``["--password", "…"]``."""
        if not item.startswith("-") and not item.endswith(("=", ":")):
            return False
        return "=" not in item[:-1] and self._is_denied(item)

    def _is_labelled(self, mapping: Mapping[Any, Any]) -> bool:
        """Recognise ``{"name": "password", "value": "…"}``: a denied name next to its value."""
        names = {key.lower(): value for key, value in mapping.items() if type(key) is str}
        if VALUES.isdisjoint(names):
            return False
        for label in LABELS.intersection(names):
            name = names[label]
            if isinstance(name, list | tuple) and name:  # the path of a field, as in Pydantic's errors
                name = name[-1]
            if isinstance(name, str) and self._is_denied(name):
                return True
        return False


def hidden(value: object) -> object:
    """Return the replacement for a secret; the absence of one stays visible."""
    if value is None or type(value) is bool or value in ("", SCRUBBED):
        return value
    return SCRUBBED


def _is_card_number(value: Any) -> bool:
    if value is None or not CARD_MIN <= value < _CARD_MAX:
        return False
    return value == int(value) and is_card(str(int(value)))


def _without_cut_digits(text: str) -> str:
    """Remove the digits at a text's end that may be a card number, cut too short to be recognised."""
    found = _CUT_DIGITS.search(text, len(text) - _CUT_CHARACTERS) if text[-1].isdigit() else None
    return text[: found.start()] + SCRUBBED if found else text
