"""The normal form of a message by version 1: what remains without its ids, amounts, names and addresses.

It never changes: digits are folded
*before* anything is matched, so that a cache keyed by the folded text can never give a different
answer from the definition.
"""

import re
from functools import lru_cache
from typing import Final

TEXT_CHARACTERS: Final = 512
"""Text beyond this is ignored: the time taken is linear in it."""

_FOLD: Final = str.maketrans("123456789", "000000000")

# Every repetition is over one character class and bounded or disjoint from what follows it, so
# matching is linear; after folding, 0 is the only digit.
_VARIABLE: Final = re.compile(
    r"""
    (?P<url>\b[a-zA-Z][a-zA-Z0+.-]{1,15}://[^\s'"<>)\]]+)
  | (?P<mail>(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)
  | (?P<uuid>\b[0a-fA-F]{8}-[0a-fA-F]{4}-[0a-fA-F]{4}-[0a-fA-F]{4}-[0a-fA-F]{12}\b)
  | (?P<quoted>(?<![\w'])'[^'\n]{0,200}'(?![\w'])|(?<![\w"])"[^"\n]{0,200}"(?![\w"])|`[^`\n]{0,200}`)
  | (?P<date>\b0000-00-00(?:[T ]00:00(?::00(?:[.,]0{1,9})?)?)?(?:Z|[+-]00:?00)?\b|\b00:00:00(?:[.,]0{1,9})?\b)
  | (?P<address>\b0{1,3}\.0{1,3}\.0{1,3}\.0{1,3}(?::0{1,5})?\b|\b[0a-fA-F]{0,4}(?::[0a-fA-F]{0,4}){4,7}\b)
  | (?P<hex>\b0x[0a-fA-F]+\b|\b(?=[a-fA-F]{0,63}0)[0a-fA-F]{8,}\b)
  | (?P<path>(?<![\w/.])(?:[A-Za-z]:)?(?:\.{0,2}[\\/][\w.@%+~-]+){2,}[\\/]?)
  | (?P<id>\b(?=[A-Za-z]{0,31}0)[A-Za-z0]{20,}\b|\b[A-Za-z]{1,16}[_-](?=[a-fA-F]{0,31}0)[0a-fA-F]{3,}\b)
  | (?P<duration>(?<![\w.])[-+]?0+(?:[.,]0+)?\ ?(?:[nuµm]?s|sec|seconds?|min|minutes?|h|hours?|d|days?)\b)
  | (?P<number>(?<![\w.])[-+]?0+(?:[.,]0+)*(?:[eE][-+]?0+)?%?(?!\w))
  | (?P<digits>0+)
  | (?P<space>\s+)
    """,
    re.VERBOSE,
)


def normalise(text: str) -> str:
    """Return the normal form of the first 512 characters of a text."""
    return _normalise_folded(text[:TEXT_CHARACTERS].translate(_FOLD))


@lru_cache(maxsize=256)
def _normalise_folded(folded: str) -> str:
    return _VARIABLE.sub(_placeholder, folded).strip()


def _placeholder(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "space":
        return " "
    return "0" if kind == "digits" else f"<{kind}>"
