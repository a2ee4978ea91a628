"""Reads a query's text: words, quotes, signs. An error names the place and what was expected."""

import difflib
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.query.query import (
    INCIDENT_MOMENTS,
    MOMENTS,
    Key,
    Query,
    Term,
    Value,
    merge_terms,
)
from faultwire_consumer.domain.query.value import BadValueError, read_values
from faultwire_consumer.domain.search_text import LEAST_CHARACTERS, is_long_enough
from faultwire_consumer.domain.searched import TAG

QUERY_CHARACTERS: Final = 1000
TERMS: Final = 50

_ALIASES: Final = {
    "env": Key.ENVIRONMENT,
    "level": Key.SEVERITY,
    "new": Key.FIRST,
    "trace_id": Key.TRACE,
}
_WRITTEN: Final = {key.value: key for key in Key if key not in (Key.TEXT, Key.TAG)} | _ALIASES
_KEYS: Final = ", ".join("tag.NAME" if key is Key.TAG else key.value for key in Key if key is not Key.TEXT)
_NAME: Final = re.compile(r"[^\W\d][\w.-]*(?=:)")
_TAG: Final = re.compile(rf"{re.escape(TAG)}(?P<name>.+)", re.IGNORECASE)


class QueryError(ValueError):
    """The text is not a query; says why, where, and what would be right.

    Attributes:
        text: the whole query.
        column: of the first wrong character, counted from 1.
        length: number of wrong characters, at least 1.
        message: why, and what was expected, in one sentence on one line.
    """

    def __init__(self, text: str, start: int, end: int, message: str) -> None:
        self.text = text
        self.column = min(start, len(text) - 1) + 1
        self.length = max(1, min(end, len(text)) - self.column + 1)
        self.message = message
        super().__init__(f"{message} (column {self.column})")


class _Piece(Struct, frozen=True):
    """A word or a quoted text, and its place."""

    text: str
    start: int
    end: int
    quoted: bool = False


def parse_query(text: str) -> Query:
    """Read a query.

    Raises:
        QueryError: the text is not a query.
    """
    return merge_terms(term for term, _, _ in read_terms(text))


def read_terms(text: str) -> list[tuple[Term, int, int]]:
    """Return a query's terms as they are written, each with the places where its text begins and ends.

    Raises:
        QueryError: the text is not a query.
    """
    if len(text) > QUERY_CHARACTERS:
        raise QueryError(text, QUERY_CHARACTERS, len(text), f"at most {QUERY_CHARACTERS} characters")
    for place, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cs") and not character.isspace():
            raise QueryError(text, place, place + 1, "this character cannot be printed")
    terms = []
    for term, start, end in _Reader(text).terms():
        terms.append((term, start, end))
        if len(terms) > TERMS:
            raise QueryError(text, start, end, f"at most {TERMS} terms")
    return terms


class _Reader:
    """One pass over the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def terms(self) -> Iterator[tuple[Term, int, int]]:
        """Yield each term with its place."""
        while self._skip_blanks():
            start = self._at
            negated = self._accept("-")
            if negated and not self._more():
                raise QueryError(self._text, start, start + 1, "nothing follows the minus")
            name = _NAME.match(self._text, self._at)
            term = self._search(negated) if name is None else self._keyed(name, negated)
            yield term, start, self._at

    def _keyed(self, name: re.Match[str], negated: bool) -> Term:
        tag = _TAG.fullmatch(name.group())
        key = Key.TAG if tag is not None else self._key_of(name)
        if negated and key in MOMENTS:
            other = Key.UNTIL if key is Key.SINCE else Key.SINCE
            raise QueryError(
                self._text, name.start() - 1, name.end(), f"a time has no opposite; write {other}:"
            )
        self._at = name.end() + 1
        pieces = self._values(name)
        if key in (*MOMENTS, *INCIDENT_MOMENTS) and len(pieces) > 1:
            raise QueryError(self._text, pieces[1].start, pieces[1].end, f"{key} takes one time")
        values: list[Value] = []
        for piece in pieces:
            try:
                values += read_values(key, piece.text, quoted=piece.quoted)
            except BadValueError as error:
                raise QueryError(self._text, piece.start, piece.end, str(error)) from None
        return Term(key, tuple(values), negated, tag["name"] if tag is not None else "")

    def _key_of(self, name: re.Match[str]) -> Key:
        word = name.group().lower()
        key = _WRITTEN.get(word)
        if key is not None:
            return key
        if word.rstrip(".") in ("tag", "tags") or word.startswith("tags."):
            raise QueryError(
                self._text, name.start(), name.end(), "a tag is written with its name: tag.region:eu"
            )
        near = difflib.get_close_matches(word, sorted(_WRITTEN), n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"the keys are {_KEYS}"
        raise QueryError(
            self._text,
            name.start(),
            name.end(),
            f"{name.group()} is not a key; {hint} To search for it as text, put it in quotes",
        )

    def _values(self, name: re.Match[str]) -> list[_Piece]:
        pieces = []
        while True:
            if not self._more() or self._text[self._at] == ",":
                raise QueryError(
                    self._text, name.start(), self._at, f"a value is missing after {name.group()}:"
                )
            pieces.append(self._piece(stops=","))
            if not self._accept(","):
                return pieces

    def _search(self, negated: bool) -> Term:
        piece = self._piece(stops="")
        if not is_long_enough(piece.text):
            message = f"a text that is searched for has at least {LEAST_CHARACTERS} characters"
            raise QueryError(self._text, piece.start, piece.end, message)
        return Term(Key.TEXT, (piece.text,), negated)

    def _piece(self, stops: str) -> _Piece:
        start = self._at
        if self._accept('"'):
            return self._quoted(start, stops)
        while self._more() and self._text[self._at] not in stops:
            self._at += 1
        return _Piece(self._text[start : self._at], start, self._at)

    def _quoted(self, start: int, stops: str) -> _Piece:
        found = []
        while self._at < len(self._text) and self._text[self._at] != '"':
            if self._text[self._at] == "\\" and self._text[self._at + 1 : self._at + 2] in ("\\", '"'):
                self._at += 1
            found.append(self._text[self._at])
            self._at += 1
        if not self._accept('"'):
            raise QueryError(self._text, start, start + 1, "this quote is never closed")
        if self._more() and self._text[self._at] not in stops:
            raise QueryError(self._text, self._at, self._at + 1, "a space is missing after the quote")
        if not found:
            raise QueryError(self._text, start, self._at, "there is nothing between the quotes")
        return _Piece("".join(found), start, self._at, quoted=True)

    def _accept(self, character: str) -> bool:
        taken = self._text.startswith(character, self._at)
        self._at += taken
        return taken

    def _more(self) -> bool:
        """Return True while the word goes on."""
        return self._at < len(self._text) and not self._text[self._at].isspace()

    def _skip_blanks(self) -> bool:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._at < len(self._text)
