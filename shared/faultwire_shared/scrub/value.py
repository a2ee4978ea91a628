"""Secrets that are recognised by their looks, anywhere in a text.

Every pattern is linear: a repetition is possessive, so that nothing is tried twice, or it is bounded.
A secret may be cut short at the text's end, as texts are cut before they come here; so the minimum
lengths are lower than the providers'.
"""

import binascii
import re
from typing import Final

SCRUBBED: Final = "[scrubbed]"

# An alternation of literals is searched by their first characters, at about 3 ns a character; so each
# looks for a character that is rare in sentences, and then back.
VALUE_SIGNS: Final = (
    r"J(?<=eyJ)|I(?<=A[KSB]I)A|C(?<=AC)(?=CA|[0-9a-f]{8})|z(?<=AIz)|Q(?<=8Q)~|K(?<=SK)(?=[0-9a-f]{8})"
    r"|_(?:(?<=gh[pousr]_)|(?<=[srp]k_)|(?<=pat_)|(?<=whsec_)|(?<=npm_)|(?<=hf_)|(?<=v1_)|(?<=glsa_)|(?<=glc_)"
    r"|(?<=shp\w\w_)|(?<=api_)|(?<=figd_)|(?<=ntn_)|(?<=sbp_)|(?<=tkn_)|(?<=pw_)|(?<=fwt_)|(?<=oauth_)|(?<=sntry\w_))"
    r"|-(?:(?<=xox\w-)|(?<=xapp-)|(?<=sk-)|(?<=pypi-)|(?<=key-)|(?<=GOCSPX-)|(?<=NRAK-)|(?<=PMAK-)|(?<=HRKU-)"
    r"|(?<=sq0\w\w\w-)|(?<=AGE-)|(?<=gl\w\w-)|(?<=gl\w\w\w-)|(?<=gl\w\w\w\w-)|(?<=glagent-)|(?<=glsoat-)|-)"
    r"|\.(?:(?<=ya29\.)|(?<=SG\.)|(?<=hv[bsr]\.)|(?<=dp\.)|atlasv1|slack\.com|com/api/webh)"
    r"|b(?:earer|asic)|B(?:earer|EARER|asic|ASIC)|E(?=AA[A-Za-z0-9]{9})"
    r"|p(?<=dap)i[0-9a-f]{8}|T(?<=ATAT)T|\$(?<=token\$)"
    r"|:(?=AA[\w-]{8})"
)
_find_token: Final = re.compile(VALUE_SIGNS).search
_find_digits: Final = re.compile(r"[2-6][0-9 -]{11}").search

_TOKEN: Final = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=/bot))(?:"  # so Telegram's tokens stand in the address of each call
    r"(?P<jwt>eyJ[\w-]{8,}+(?P<parts>(?:\.[\w-]*+)*+))"
    r"|(?P<basic>basic[ \t+]{1,4}+(?P<pair>[A-Za-z0-9+/_=-]{6,}+))"
    r"|(?P<bearer>bearer[ \t+:]{1,4}+(?P<token>[\w.~+/=-]{6,}+))"
    r"|(?P<other>(?-i:"
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{8,}+"  # Amazon
    r"|AIza[\w-]{20,}+|ya29\.[\w.-]{16,}+|GOCSPX-[\w-]{10,}+"  # Google
    r"|[\w.~-]{3}8Q~[\w.~-]{20,60}+"  # Microsoft
    r"|gh[pousr]_\w{10,}+|github_pat_\w{10,}+"
    r"|gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct)-[\w.-]{10,}+"  # GitLab
    r"|glsa_\w{16,}+|glc_[\w+/=]{16,}+"  # Grafana
    r"|xox[a-z](?:\.xox[a-z])?-[\w-]{8,}+|xapp-[\w-]{8,}+"  # Slack
    r"|(?:sk|rk|pk)_(?:live|test)_\w{8,}+|whsec_[\w+/=]{8,}+"  # Stripe, Standard Webhooks
    r"|sk-[\w-]{16,}+"  # model providers
    r"|(?:SK|AC)[0-9a-f]{32}"  # Twilio
    r"|SG\.[\w-]{12,}+(?:\.[\w-]*+)?"  # SendGrid
    r"|fwt_\w{10,}+"  # ours
    r"|npm_\w{16,}+|pypi-[\w-]{16,}+|hf_\w{16,}+|dckr_pat_[\w-]{10,}+"
    r"|do[opr]_v1_\w{16,}+|shp(?:at|ca|pa|ss)_\w{16,}+|sq0[a-z]{3}-[\w-]{16,}+|EAA[A-Za-z0-9]{24,}+"
    r"|dapi[0-9a-f]{24,}+|hv[bsr]\.[\w-]{16,}+|dp\.[a-z]{2,10}\.\w{16,}+|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{16,}+"
    r"|ATATT3[\w=-]{16,}+|NRAK-\w{16,}+|PMAK-[\w-]{16,}+|HRKU-[\w-]{16,}+|lin_api_\w{16,}+|figd_[\w-]{16,}+"
    r"|ntn_\w{16,}+|sbp_\w{16,}+|pscale_[a-z]{2,8}_[\w.-]{16,}+|sntry[su]_[\w+/=]{16,}+|key-[0-9a-f]{24,}+"
    r"|AGE-SECRET-KEY-1[0-9A-Z]{16,}+|access_token\$\w{4,16}\$\w{8,}\$\w{8,}+"
    r"|[0-9]{6,12}:AA[\w-]{30,}+"  # Telegram
    r"))"
    r"|hooks\.slack\.com/(?:services|workflows|triggers)/(?P<slack>[\w/-]{8,}+)"
    r"|(?:canary\.|ptb\.)?discord(?:app)?\.com/api/webhooks/(?P<discord>[\w/-]{8,}+)"
    r")",
    re.IGNORECASE | re.ASCII,
)

_KEY_EDGE: Final = re.compile(r"-{4,5} ?(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?(?: ?-{1,5})?")
_KEY_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\ \t\r\n,'\":|>"
_URL: Final = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,30}+://([^\s'\"<>\\]++)")
_ADDRESS_END: Final = re.compile(r"[/?#]")
_PORT: Final = re.compile(r"[0-9]{0,5}|\[[0-9A-Fa-f:.%]{0,60}\](?::[0-9]{0,5})?|\{[^{}]{0,60}\}|%[sd]")
_LONE_USER: Final = 20
"""Minimum length of a user without a password that is taken for a token."""

_NUMBER: Final = re.compile(r"(?<![0-9])(?<![0-9]\.)[0-9](?:[ -]?[0-9]){12,}+")
_LETTERS_BEFORE: Final = re.compile(r"[A-Za-z0-9]{1,40}\Z")
_LETTERS_BEHIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,39}")
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")
_GROUP: Final = re.compile(r"[0-9]++")
_ISSUED: Final = {
    13: re.compile("[456]"),
    14: re.compile("3[0689]|[56]"),
    15: re.compile("3[47]|[56]"),
    **dict.fromkeys(range(16, 20), re.compile("[3-6]|2[2-7]")),
}
"""First digits of payment cards (ISO/IEC 7812); times in milliseconds and most ids begin differently."""
_CARD_MAX: Final = 19
CARD_MIN: Final = 10**12
_TELEPHONE_DIGITS: Final = 15
_PLAIN: Final = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))


def scrub_values(text: str) -> str:
    """Remove private keys, tokens, passwords in addresses and card numbers from the text."""
    if "PRIVATE KEY" in text:
        text = _without_private_keys(text)
    if "://" in text:
        text = _URL.sub(_address, text)
    if _find_token(text) is not None:
        text = _TOKEN.sub(_token, text)
    return text if _find_digits(text) is None else _NUMBER.sub(_number, text)


def opens_key(text: str) -> bool:
    """Return True if a private key begins in the text and does not end in it."""
    edges = _KEY_EDGE.findall(text)
    return bool(edges) and edges[-1] == "BEGIN"


def closes_key(text: str) -> bool:
    """Return True if a private key that began before the text ends in it."""
    return _KEY_EDGE.findall(text)[:1] == ["END"]


def _without_private_keys(text: str) -> str:
    kept: list[str] = []
    at, inside = 0, False
    for edge in _KEY_EDGE.finditer(text):
        if edge[1] == "END":
            # If its beginning was cut off, everything that can belong to it goes.
            kept += () if inside else (text[at : edge.start()].rstrip(_KEY_CHARACTERS), SCRUBBED)
            at, inside = edge.end(), False
        elif not inside:
            kept += (text[at : edge.start()], SCRUBBED)
            inside = True
    return "".join(kept if inside else [*kept, text[at:]])


def _address(match: re.Match[str]) -> str:
    """Remove the password from an address, even with an unescaped slash in it, or cut before its @."""
    rest = match[1]
    head = match[0][: -len(rest)]
    slash = _ADDRESS_END.search(rest)
    authority = rest[: slash.start()] if slash else rest
    credentials, at, host = authority.rpartition("@")
    if at:
        user, colon, password = credentials.partition(":")
        if not (colon and password) and len(user) < _LONE_USER:
            return match[0]
        shown = f"{user}:{SCRUBBED}" if colon else SCRUBBED
        return f"{head}{shown}@{host}{rest[len(authority) :]}"
    user, colon, password = authority.partition(":")
    if not colon or authority.startswith("[") or _PORT.fullmatch(password.rstrip(",;.:)]}")):
        return match[0]
    _, at, tail = rest.rpartition("@")
    return f"{head}{user}:{SCRUBBED}{at}{tail if at else ''}"


def _token(match: re.Match[str]) -> str:
    text = match[0]
    if match["jwt"]:
        return SCRUBBED if match["parts"].strip(".") else text
    if match["basic"]:
        return text.replace(match["pair"], SCRUBBED) if _is_pair(match["pair"]) else text
    if match["bearer"]:
        return text if _is_prose(match["token"]) else text.replace(match["token"], SCRUBBED)
    path = match["slack"] or match["discord"]
    return text.replace(path, SCRUBBED) if path else SCRUBBED


def _is_pair(text: str) -> bool:
    """Return True for ``user:password`` in base64, perhaps cut at its end; "Basic authentication" is not."""
    whole = text.rstrip("=").replace("-", "+").replace("_", "/")
    whole = whole[: len(whole) // 4 * 4] if len(whole) % 4 == 1 else whole
    try:
        return b":" in binascii.a2b_base64(whole + "=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return False


def _is_prose(text: str) -> bool:
    """Return True for a word of the sentence: "bearer authentication failed."."""
    word = text.rstrip(".,:;")
    return len(word) <= _LONE_USER and word.isalpha() and (word.islower() or word.istitle())


def _number(match: re.Match[str]) -> str:
    """Remove card numbers from a run of digits; in groups as printed on cards, or without any."""
    text = match[0]
    if not _stands_alone(match):
        return text
    groups = list(_GROUP.finditer(text))
    kept: list[str] = []
    at = first = 0
    while first < len(groups):
        last = _card_end(groups, first)
        if last is None:
            first += 1
            continue
        kept += (text[at : groups[first].start()], SCRUBBED)
        at, first = groups[last].end(), last + 1
    return "".join([*kept, text[at:]])


def _card_end(groups: "list[re.Match[str]]", first: int) -> int | None:
    """Find the last group of a card number that begins with this one."""
    digits = ""
    for index in range(first, min(first + 7, len(groups))):
        group = groups[index][0]
        if index > first and not (2 <= len(group) <= 7 and 3 <= len(groups[first][0]) <= 7):
            return None
        digits += group
        if len(digits) > _CARD_MAX:
            return None
        if is_card(digits):
            return index
    return None


def _stands_alone(match: "re.Match[str]") -> bool:
    """Return True if it is neither part of a hash nor a telephone number of at most 15 digits (E.164)."""
    text, start, end = match.string, match.start(), match.end()
    if text[start - 1 : start] == "+" and len(match[0]) <= _TELEPHONE_DIGITS:
        return False
    return not (
        _in_hash(_LETTERS_BEFORE.search(text[max(0, start - 40) : start]))
        or _in_hash(_LETTERS_BEHIND.match(text, end))
    )


def _in_hash(letters: "re.Match[str] | None") -> bool:
    return letters is not None and set(letters[0]) <= _HEXADECIMAL


def is_card(digits: str) -> bool:
    """Return True for a payment card's number, by length, beginning and check digit (ISO/IEC 7812)."""
    issued = _ISSUED.get(len(digits))
    if issued is None or not issued.match(digits):
        return False
    raw = digits.encode()
    return (sum(raw[-1::-2].translate(_PLAIN)) + sum(raw[-2::-2].translate(_DOUBLED))) % 10 == 0
