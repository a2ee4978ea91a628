"""Names that announce a secret: of a field, a header, a variable, a query's argument.

The lists follow the defaults of Sentry's SDKs (``denylist`` and ``pii_denylist``, at
https://docs.sentry.io/platforms/python/data-management/sensitive-data/), and what cloud and card
providers call their secrets. A name is compared by its letters and digits alone, so ``X-Api-Key``,
``x_api_key`` and ``xApiKey`` are one.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from faultwire_shared.event import NAME_CHARACTERS
from faultwire_shared.memo import Memo

_ANYWHERE: Final = (
    "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "motdepasse", "contrasena",
    "credential", "apikey", "privatekey", "secretkey", "accesskey", "encryptionkey", "signingkey",
    "clientsecret", "connectionstring",
)  # fmt: skip
"""Names that contain one of these anywhere are secret."""

_ENDINGS: Final = (
    "token", "authorization", "secret", "pwd", "userpass", "dbpass", "authkey", "accountkey", "sharedkey",
    "masterkey", "sshkey", "hmackey", "licensekey", "sessionid", "sessionkey", "sessid", "cardnumber",
    "connectsid", "pincode", "securitycode",
)  # fmt: skip
"""Names that end in one of these, ignoring digits, are secret."""

_WORDS: Final = frozenset(("secret", "secrets", "pwd"))
"""Names with one of these as a word are secret."""

_LAST_WORDS: Final = frozenset(
    ("cookie", "cookies", "csrf", "xsrf", "jwt", "otp", "cvv", "cvc", "pass", "pw")
)
"""Names with one of these as their last word are secret."""

_WHOLE: Final = frozenset(
    (
        "auth", "authentication", "basicauth", "httpauth", "oauth", "authheader", "authdata", "authinfo",
        "bearer", "session", "sessions", "usersession", "aiohttpsession", "flasksession", "symfony", "sid",
        "pass", "pw", "creds", "tokens", "accesstokens", "refreshtokens", "mysqlpwd", "pgpassfile", "sig",
        "xamzsignature", "xamzcredential", "xgoogsignature", "xgoogcredential", "sharedaccesssignature",
        "pin", "ssn", "socialsecurity", "socialsecuritynumber", "creditcard", "ccnumber", "ccnum", "cardno",
        "totp", "mfacode", "onetimecode", "verificationcode", "recoverycode", "recoverycodes", "backupcodes",
        "seedphrase", "mnemonic", "salt", "senha", "wachtwoord",
    )
)  # fmt: skip
"""Names that are exactly one of these are secret."""

_PERSONAL: Final = frozenset(
    (
        "ip", "ipaddress", "ipaddr", "remoteaddr", "remoteaddress", "remoteip", "clientip", "clientaddr",
        "clientaddress", "peername", "peeraddr", "userip", "sourceip", "xforwardedfor", "forwarded",
        "forwardedfor", "xoriginalforwardedfor", "xrealip", "realip", "xclientip", "xclusterclientip",
        "trueclientip", "cfconnectingip", "cfconnectingipv6", "fastlyclientip", "flyclientip",
        "xappengineuserip",
    )
)  # fmt: skip
"""Names of a person's network address; kept if ``send_default_pii`` is set."""

SECRET_NAMES: Final = frozenset((*_ANYWHERE, *_ENDINGS)) | _WORDS | _LAST_WORDS | _WHOLE | _PERSONAL
"""All that the lists hold."""

_WORD: Final = re.compile(r"[A-Z]{2,100}(?![a-z])|[A-Z]?[a-z]{1,100}|[A-Z]")
_words: Final = tuple(_WORDS)
_last_words: Final = tuple(_LAST_WORDS)
_PATH_SIGNS: Final = ".[:/"
"""What stands before the last name of a path like ``user.auth`` or ``user[auth]``."""
_DIGITS: Final = "0123456789"
_ASCII_LOWER: Final = bytes(range(256)).lower()
_ASCII_OTHERS: Final = bytes(each for each in range(128) if not chr(each).isalnum())


class KeyRules:
    """Recognises names that announce a secret; immutable, except for its memory of names it has seen.

    Args:
        deny: names that are secret in this service, in addition to the usual ones.
        allow: names that are not, even if the lists say so.
        send_default_pii: let a person's network address pass.
    """

    def __init__(
        self, deny: Iterable[str] = (), allow: Iterable[str] = (), *, send_default_pii: bool = False
    ) -> None:
        denied = frozenset(_letters(key) for key in deny) - {""}
        self._whole = denied | _WHOLE | (frozenset() if send_default_pii else _PERSONAL)
        self._allow = frozenset(_letters(key) for key in allow)
        self._known: Memo[str, bool] = Memo()

    def is_denied(self, key: str) -> bool:
        """Return True if a value of this name is a secret."""
        known = self._known.get(key)
        if known is None:
            known = self.judge(key)
            if len(key) <= NAME_CHARACTERS:
                self._known[key] = known
        return known

    def judge(self, key: str) -> bool:
        """Return what `is_denied` does, and do not remember it: for texts that are hardly ever names."""
        key = key[-NAME_CHARACTERS:]
        letters = _letters(key)
        joined = letters.removeprefix("http")
        if joined in self._allow or letters in self._allow:
            return False
        bare = joined.rstrip(_DIGITS)
        if (
            letters in self._whole
            or joined in self._whole
            or bare in self._whole
            or self._is_last_denied(key)
        ):
            return True
        return bare.endswith(_ENDINGS) or _holds(joined, _ANYWHERE) or _has_word(key, letters)

    def _is_last_denied(self, key: str) -> bool:
        if not _holds(key, _PATH_SIGNS):
            return False
        key = key.rstrip("]")
        at = max(map(key.rfind, _PATH_SIGNS))
        return _letters(key[at + 1 :]) in self._whole


def _holds(text: str, parts: Iterable[str]) -> bool:
    for part in parts:  # noqa: SIM110 - a third of the time of any() with its generator
        if part in text:
            return True
    return False


def _has_word(key: str, letters: str) -> bool:
    """Return True if a word of the name, or its last one, is secret; most are told without finding words."""
    is_last = not key.isascii() or letters.rstrip(_DIGITS).endswith(_last_words)
    if not is_last and not _holds(letters, _words):
        return False
    words = [word.lower() for word in _WORD.findall(key)]
    return bool(words) and (words[-1] in _LAST_WORDS or not _WORDS.isdisjoint(words))


def _letters(key: str) -> str:
    """Return only the letters and digits; full width and accents are folded."""
    if key.isascii():  # nearly always, and many times as fast
        return key.encode().translate(_ASCII_LOWER, _ASCII_OTHERS).decode()
    decomposed = unicodedata.normalize("NFKD", key)
    bare = "".join(each for each in decomposed if not unicodedata.combining(each))
    return "".join(each for each in bare.casefold() if each.isalnum())
