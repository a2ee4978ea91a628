"""The normal form of a message: what remains without its ids, amounts, names, lists and addresses.

The form is part of the fingerprint's version 2 and never changes with it: digits are folded
*before* anything is matched, so that a cache keyed by the folded text can never give a different
answer from the definition.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

TEXT_CHARACTERS: Final = 512
"""Text beyond this is ignored: the time taken is bounded."""

_LONG_CHARACTERS: Final = 4096
"""Length of a text whose lists are shortened before it is cut: what stands behind them counts."""

_FOLD: Final = str.maketrans("123456789", "000000000")

_WEEKDAY: Final = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?"
_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_TIME: Final = r"0{1,2}:00(?::00(?:[.,]0{1,9})?)?(?:\ ?[AaPp]\.?[Mm]\b)?"
_UNIT: Final = (
    r"(?:[nuµμm]s|(?:milli|micro|nano)?seconds?|m?secs?|s|mins?|minutes?|m|hrs?|hours?|h|days?|d|weeks?"
    r"|months?|years?)"
)
_AMOUNT: Final = r"0+(?:[.,]0+)?"
_TO_END: Final = r"""[^\s'"<>)\]]"""
_GROUPS: Final = r"[0a-fA-F]{1,4}(?::[0a-fA-F]{1,4}){0,6}"
_ALONE: Final = r"(?<![A-Za-z0])"
_CLOSED: Final = r"(?![A-Za-z0])"
_KEYS: Final = (
    r"(?:id|uid|user|username|login|customer|tenant|account|session|token|key|host|hostname|node|pod"
    r"|container|order|invoice|request|trace|name|email|file|path|url|ip|addr|address|peer|client)"
)
_PAIRS: Final = (
    *(("\u00ab", "\u00bb"), ("\u00bb", "\u00ab"), ("\u2039", "\u203a"), ("\u201e", '\u201c\u201d"')),
    *(("\u201c", "\u201d"), ("\u201d", "\u201d"), ("\u201a", "\u2018\u2019"), ("\u2018", "\u2019")),
    *(("\u300c", "\u300d"), ("\u300e", "\u300f"), ("\u300a", "\u300b"), ("`", "`")),
)
_QUOTED: Final = "|".join(rf"{begin}[^{end}\n]{{0,500}}[{end}]" for begin, end in _PAIRS)

# Every repetition is over one character class and bounded or disjoint from what follows it, so
# matching is linear; after folding, 0 is the only digit. Plain words are passed over at once.
_VARIABLE: Final = re.compile(
    rf"""
    (?P<words>(?<![\w.@/\\-])
      (?:(?!(?:{_WEEKDAY}|{_MONTH})\b)[A-Za-z]{{1,32}}(?:[,;.!:]?\ |[.!]?$)){{1,64}})
  | (?P<url>\b[a-zA-Z][a-zA-Z0+.-]{{1,15}}://{_TO_END}+)
  | (?P<arn>\barn:[\w-]{{1,20}}:{_TO_END}+)
  | (?P<mail>(?<![\w.+-])[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}})+)
  | (?P<uuid>\b[0a-fA-F]{{8}}-[0a-fA-F]{{4}}-[0a-fA-F]{{4}}-[0a-fA-F]{{4}}-[0a-fA-F]{{12}}\b)
  | (?P<quoted>(?<![\w'])[bBuUrR]{{0,2}}'(?:[^'\\\n]|\\.){{0,500}}'(?![\w'])
      | (?<![\w"])[bBuUrR]{{0,2}}"(?:[^"\\\n]|\\.){{0,500}}"(?![\w"])
      | {_QUOTED})
  | (?P<field>(?<!\w)(?:[A-Za-z]{{1,32}}_)?{_KEYS}=(?=[^\s'"])[^\s,;)\]}}'"]+)
  | (?P<date>\b0000-00-00(?:[T ]00:00(?::00(?:[.,]0{{1,9}})?)?)?(?:Z|\ ?[+-]00:?00)?\b
      | \b(?:0000/00?/00?|00?/00?/0000|00?\.00?\.0000)(?![\w/])
      | \b(?:{_WEEKDAY},?\ {{1,2}})?
        (?:0{{1,2}}[ -]{_MONTH}\b|{_MONTH}\.?\ {{1,2}}0{{1,2}}(?:st|nd|rd|th)?\b)
        (?:[, -]{{1,2}}(?:{_TIME}|0000|UTC|GMT|[A-Z]{{3,4}}(?=\ 0000)|[+-]0000)\b){{0,4}}
      | \b{_TIME}(?:Z\b|\ ?[+-]00:?00\b)?(?![\w:]))
  | (?P<address>\b0{{1,3}}\.0{{1,3}}\.0{{1,3}}\.0{{1,3}}(?::0{{1,5}})?\b
      | \b[0a-fA-F]{{0,4}}(?::[0a-fA-F]{{0,4}}){{4,7}}\b
      | (?<![\w:])(?=[a-fA-F:]{{0,39}}0)(?:{_GROUPS})?::(?:{_GROUPS})?(?![\w:]))
  | (?P<path>(?<![\w/.])(?:[A-Za-z]:|~)?(?:\.{{0,2}}[\\/][\w.@%+~=,-]+){{2,}}[\\/]?(?:\?{_TO_END}*)?
      | (?<![\w/.])/[\w.@%+~-]+\?[\w.%-]{{1,64}}={_TO_END}*)
  | (?P<relative>(?<![\w/.@-])(?=[\w.%+~-]{{0,64}}/)(?![0.,%]+/[0.,%]+(?![\w/]))
      (?:\.{{1,2}}/|~/)?[\w.@%+~-]+(?:/[\w.@%+~-]+)+/?(?:\?{_TO_END}*)?)
  | (?P<own>\b[a-z]{{1,32}}_00000000_[a-z0]{{6,32}}\b)
  | (?P<pod>(?<=[a-z0])-(?=[a-z]{{0,9}}0|[b-df-hj-np-tv-z]{{8}})[a-z0]{{8,10}}-[a-z0]{{5}}(?![\w-]))
  | (?P<hex>\b0x[0a-fA-F]+\b
      | {_ALONE}(?=[a-fA-F]{{0,127}}0)(?=0{{0,127}}[a-fA-F])[0a-fA-F]{{8,128}}{_CLOSED}
      | {_ALONE}(?=[a-f]{{0,6}}0)(?=0{{0,6}}[a-f])[0a-f]{{7}}{_CLOSED}
      | (?<=[_-])0{{8,128}}{_CLOSED} | (?<=\w@)[0a-f]{{4,16}}{_CLOSED})
  | (?P<duration>(?<![\w.])[-+]?{_AMOUNT}\ ?{_UNIT}\b(?:,?\ (?:and\ )?{_AMOUNT}\ ?{_UNIT}\b){{0,5}}
      | (?<![\w.])(?:{_AMOUNT}(?:ms|[uµμn]s|[dhms])){{2,6}}\b
      | \bP(?:0+D)?T(?:0+(?:\.0+)?[HMS]){{1,3}}\b)
  | (?P<size>(?<![\w.]){_AMOUNT}\ ?(?:[KMGTPk]i?)?(?:B|[Bb]ytes?)\b)
  | (?P<number>(?<![\w.])[-+]?0+(?:[.,]0+)*(?:[eE][-+]?0+)?%?(?!\w)|{_ALONE}0+(?:st|nd|rd|th)\b)
  | (?P<blob>(?<![\w-])(?![a-z]{{2,10}}_)(?=[A-Za-z_-]{{0,63}}0)(?=[0a-z_-]{{0,63}}[A-Z])
      (?=[0A-Z_-]{{0,63}}[a-z])[A-Za-z0_-]{{20,128}}(?![\w-]))
  | (?P<long>{_ALONE}(?=[A-Za-z]{{0,127}}0)[A-Za-z0]{{14,128}}{_CLOSED})
  | (?P<token>{_ALONE}(?=[A-Za-z]{{0,13}}0)(?![A-Za-z]{{1,13}}0+{_CLOSED})(?!0+[A-Za-z]{{0,3}}{_CLOSED})
      [A-Za-z0]{{6,13}}{_CLOSED})
  | (?P<short>(?<=[_\#-])(?=[a-z]{{0,5}}0)(?=0{{0,5}}[a-z])(?![a-z]{{1,5}}0+{_CLOSED})[a-z0]{{3,5}}{_CLOSED})
  | (?P<digits>0+(?:[.,]0+)*)
  | (?P<space>\s+)
    """,
    re.VERBOSE,
)
_SHOWN: Final = {
    **{kind: f"<{kind}>" for kind in ("url", "arn", "mail", "quoted", "date", "address", "path")},
    **{kind: f"<{kind}>" for kind in ("duration", "size", "number")},
    "space": " ",
    "digits": "0",
    **dict.fromkeys(("uuid", "own", "pod", "hex", "blob", "long", "token", "short"), "<id>"),
}
_FILE_END: Final = re.compile(r"\.[A-Za-z]{1,5}$")

_ITEM: Final = r"(?:(?:[A-Za-z]{1,10}[_-]|[$:%@#])?<[a-z]{2,8}>|%s|\?)"
_PAIR: Final = rf"{_ITEM}(?:\ ?[:=]\ ?{_ITEM})?"
_BETWEEN: Final = r"(?:\ ?[,;|]\ ?(?:and\ )?|\ )"
_LIST: Final = re.compile(rf"({_PAIR})(?:{_BETWEEN}{_PAIR})+", re.VERBOSE)
_ROWS: Final = re.compile(rf"([\[({{]{_PAIR}[\])}}])(?:{_BETWEEN}[\[({{]{_PAIR}[\])}}])+", re.VERBOSE)
_ELEMENT: Final = r"""(?:'[^'\n]{0,100}'|"[^"\n]{0,100}"|[$\w.-]{0,63}\d)"""
_LONG_LIST: Final = re.compile(rf"({_ELEMENT})(?:,\s?{_ELEMENT})+")
_PLURAL: Final = re.compile(r"(<number> [a-z-]{2,32})s\b")


def normalise(text: str) -> str:
    """Return the normal form of the first 512 characters of a text, long lists in it shortened before."""
    if len(text) > TEXT_CHARACTERS:
        text = _LONG_LIST.sub(r"\1", text[:_LONG_CHARACTERS])[:TEXT_CHARACTERS]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)[:TEXT_CHARACTERS]
        text = "".join("0" if character.isdecimal() else character for character in text)
    return _normalise_folded(text.translate(_FOLD))


@lru_cache(maxsize=4096)
def _normalise_folded(folded: str) -> str:
    form = _VARIABLE.sub(_placeholder, folded).strip()
    if form.count("<") > 1 or "?" in form or "%s" in form:
        form = _LIST.sub(r"\1", form)
        if form.count(">)") + form.count(">]") + form.count(">}") > 1 or "?)" in form or "%s)" in form:
            form = _ROWS.sub(r"\1", form)
    return _PLURAL.sub(r"\1", form) if "<number> " in form else form


def _placeholder(match: re.Match[str]) -> str:
    kind, text = match.lastgroup or "", match[0]
    if kind == "words":
        return text
    if kind in _SHOWN:
        return _SHOWN[kind]
    if kind == "field":
        return f"{text.partition('=')[0]}=<value>"
    return "<path>" if _is_path(text) else text


def _is_path(text: str) -> bool:
    """Tell ``data/17.csv`` and ``./data`` from ``and/or``."""
    is_marked = "0" in text or "?" in text or text.startswith((".", "~"))
    return is_marked or text.count("/") > 1 or _FILE_END.search(text) is not None
