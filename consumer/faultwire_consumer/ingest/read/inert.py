"""Tells from an event's bytes that there is nothing to scrub in it, before a tree is built of them.

Events say the same again and again: a document is cut at its quotation marks into strings and what
stands between them, and nearly all of these were seen before. Of the others the scrubber is asked, one
by one: its own rules tell, and there are no lists here that could fall behind. A "no" means "perhaps".
"""

import re
from collections.abc import Callable
from itertools import filterfalse
from typing import Final

import msgspec

from faultwire_shared.json_text import UNREADABLE

KNOWN: Final = 4096
"""Limit of the parts that are remembered, and of the groups of parts; then it begins anew."""
_KNOWN_BYTES: Final = 256
_SHORT: Final = 4
"""Bytes of what mostly stands between strings, and is remembered though it is told at a glance."""
_BUDGET: Final = 512
"""What is spent on one event at most; of one that says more that is new, the scrubber sees the whole."""
_ASKING: Final = 10
"""The cost of a part that the scrubber is asked about, where one that is told at a glance costs 1."""
_BRACKETS: Final = 58
_DEPTH: Final = 16
"""Limit of nesting where there are more brackets than that; the scrubber keeps nothing that lies at 60."""
_FEW: Final = 29
"""Groups that are known may have two brackets each; so many of them are not deep."""

QUICK: Final = b"0123456789abcdefTZ.:,+-_{}[] \t\r\n"
"""Of these nothing but long numbers can be a secret: times, numbers, ids in hexadecimal digits."""
_BETWEEN: Final = b"0123456789+-.eEtrufalsn:,{}[] \t\r\n"
"""All that stands between strings."""
_OTHERS: Final = bytes(each for each in range(256) if each not in b"[]{}")
_find_digits: Final = re.compile(rb"[0-9 -]{12}").search
_find_odd_number: Final = re.compile(
    rb"(?:\A|[:,\[ \t\r\n])-?[0-9]+(?:\.[0-9]+)?[eE]|[0-9]{13}\.|[0-9]{20}"
).search
"""Numbers that a decoder may round or reject."""

_string: Final = msgspec.json.Decoder(str)


class InertCheck:
    """Looks for strings and numbers that a scrubber may change; remembers those that it does not.

    Args:
        is_inert: tells of a string that it neither is a secret nor announces one, wherever it stands.
    """

    def __init__(self, is_inert: Callable[[str], bool]) -> None:
        self._is_inert = is_inert
        self._parts: set[bytes] = set()
        self._loud: set[bytes] = set()
        self._groups: set[bytes] = set()

    def holds_nothing(self, document: bytes, identity: str = "", service: str = "") -> bool:
        """Return True if nothing in valid JSON is a secret or announces one, in time linear in its length.

        Args:
            document: the JSON; a value may be missing where it is known to hold nothing.
            identity: the event's id, which is kept whatever it looks like, if it stands nowhere else.
            service: its service, which is kept as well.
        """
        if b"\\" in document:  # so that each quotation mark is the beginning or the end of a string
            document = document.replace(b"\\\\", b"\\u005c").replace(b'\\"', b"\\u0022")
        elif identity:
            document = _without_lone(document, f'"{identity}"'.encode())
        groups = document.split(b'",')
        unknown = list(filterfalse(self._groups.__contains__, groups))
        if not unknown and len(groups) <= _FEW:
            return True
        if document.count(b"[") + document.count(b"{") > _BRACKETS and _is_deep(document):
            return False
        return self._are_inert(unknown, document, service.encode())

    def _are_inert(self, groups: list[bytes], document: bytes, service: bytes) -> bool:
        left, knows = _BUDGET, self._parts.__contains__
        for group in groups:
            is_known = True
            parts = group.split(b'"')
            parts.append(b"," + parts[0])  # the comma before a group may belong to a string
            for part in filterfalse(knows, parts):
                left -= 1
                if _is_quick(part):
                    if len(part) <= _SHORT:
                        _remember(self._parts, part)
                    continue
                left -= _ASKING
                if left < 0:
                    return False
                if not self._ask(part):
                    if part != service or not _is_alone(part, document):
                        return False
                    is_known = False
            if is_known and group.count(b"[") + group.count(b"{") <= _BRACKETS // _FEW:
                _remember(self._groups, group)
        return left >= 0

    def _ask(self, part: bytes) -> bool:
        """Ask the scrubber, whether it is a string or what stands between two."""
        if part in self._loud or (_find_odd_number(part) and not part.translate(None, _BETWEEN)):
            return False
        try:
            text = _string.decode(b'"%b"' % part) if b"\\" in part else part.decode()
        except UNREADABLE:
            return False
        is_inert = self._is_inert(text)
        _remember(self._parts if is_inert else self._loud, part)
        return is_inert


def _remember(known: set[bytes], one: bytes) -> None:
    if len(one) > _KNOWN_BYTES:
        return
    if len(known) >= KNOWN:
        known.clear()
    known.add(one)


def _without_lone(document: bytes, string: bytes) -> bytes:
    """Take a string out that stands nowhere else."""
    found = document.replace(string, b'""', 2)
    return found if len(document) - len(found) == len(string) - 2 else document


def _is_alone(part: bytes, document: bytes) -> bool:
    """Return True for a string that stands nowhere else, in no spelling."""
    return document.count(b'"%b"' % part) == 1 and b"\\" not in document


def _is_quick(part: bytes) -> bool:
    """Return True for what is told at a glance, whether it is a string or stands between two."""
    if part.translate(None, QUICK) or len(part) > _KNOWN_BYTES or _find_digits(part):
        return False
    return _find_odd_number(part) is None or bool(part.translate(None, _BETWEEN))


def _is_deep(text: bytes) -> bool:
    brackets = b"".join(text.split(b'"')[::2]).translate(None, _OTHERS)
    for _ in range(_DEPTH):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return bool(brackets)
