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

_WORD: Final = re.compile(r"[A-Z]{2,100}(?![a-z])|[A-Z]?[a-z]{1,100}|[A-Z]")
_BEFORE_LAST: Final = re.compile(r".*[.\[:/]", re.DOTALL)
"""The part of a path like ``user.auth`` or ``user[auth]`` before the last name."""
_DIGITS: Final = "0123456789"


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
        self._deny = frozenset(_letters(key) for key in deny) - {""}
        self._allow = frozenset(_letters(key) for key in allow)
        self._personal = frozenset() if send_default_pii else _PERSONAL
        self._known: Memo[str, bool] = Memo()

    def is_denied(self, key: str) -> bool:
        """Return True if a value of this name is a secret."""
        known = self._known.get(key)
        if known is None:
            known = self._judge(key[-NAME_CHARACTERS:])
            if len(key) <= NAME_CHARACTERS:
                self._known[key] = known
        return known

    def _judge(self, key: str) -> bool:
        joined = _letters(key).removeprefix("http")
        if joined in self._allow or _letters(key) in self._allow:
            return False
        bare = joined.rstrip(_DIGITS)
        last = _letters(_BEFORE_LAST.sub("", key.rstrip("]")))
        if not {joined, bare, last}.isdisjoint(self._deny | self._personal | _WHOLE):
            return True
        words = [word.lower() for word in _WORD.findall(key)]
        return (
            any(stem in joined for stem in _ANYWHERE)
            or bare.endswith(_ENDINGS)
            or not _WORDS.isdisjoint(words)
            or (bool(words) and words[-1] in _LAST_WORDS)
        )


def _letters(key: str) -> str:
    """Return only the letters and digits; full width and accents are folded."""
    if not key.isascii():
        decomposed = unicodedata.normalize("NFKD", key)
        key = "".join(each for each in decomposed if not unicodedata.combining(each))
    return "".join(each for each in key.casefold() if each.isalnum())
