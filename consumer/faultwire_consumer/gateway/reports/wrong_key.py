"""Producers with a wrong key: what is said of them, how often, and never the key. Pure."""

import re
from typing import Final

from msgspec import Struct

from faultwire_shared.taxonomy import AuthenticationError

KEY_SHOWN: Final = 4
"""Characters of a key that are told."""
WARN_SECONDS: Final = 60.0
KINDS_MAX: Final = 20
"""Projects and keys that have incidents of their own; all others share one. Anybody may invent some."""
KINDS_SECONDS: Final = 24 * 3600.0
"""Time after which others may have one."""
AGAIN_SECONDS: Final = 3600.0
"""Between two events of one kind: what lasts is reported once in this time, and counted in the metrics."""
MANY: Final = "many"
_TEXT_CHARACTERS: Final = 200
_PROJECT: Final = re.compile(r"/api/([0-9]{1,20})/", re.ASCII)
# Keys stand in paths too, as in `/api/17/unreal/<key>/`, and in prefixes of some operators' making.
_SECRET: Final = re.compile(r"(?=[A-Za-z_-]*[0-9])[0-9A-Za-z_-]{16,}", re.ASCII)


class WrongKeyError(AuthenticationError):
    """A producer reports with a key that is not valid, so that all of its events are lost."""

    code = "GATEWAY_WRONG_KEY"


class WrongKey(Struct, frozen=True, kw_only=True):
    """A refused sender, in words that hold no secret."""

    reason: str
    path: str
    user_agent: str
    project: str
    """Empty where the address names none."""
    key_start: str
    """Empty where no key was shown."""
    kind: str
    """The incident that it belongs to: one for each project and beginning of a key, or `MANY`."""

    @property
    def part(self) -> str:
        """Return the part of faultwire that the error is reported of: bursts are counted by it."""
        return f"gateway, key of {self.kind}"

    @property
    def fingerprint(self) -> tuple[str, str]:
        """Return the parts that make one incident of its kind."""
        return WrongKeyError.code, self.kind

    @property
    def mends(self) -> str:
        """Return what to do about it."""
        project = f" --project {self.project}" if self.project else " --project N"
        made = f"`faultwire access token create --sentry-dsn SERVICE --key KEY{project}`"
        if not self.key_start:
            return f"put a whole DSN into the sender's settings, with its key; {made} makes one"
        return f"{made}, with the whole key of the sender's DSN, or give the sender a DSN that is valid"

    def error(self) -> WrongKeyError:
        """Return it as an error of faultwire's own."""
        shown = f"key {self.key_start}… ({self.reason})" if self.key_start else "no key"
        return WrongKeyError(
            f"a producer reports with a wrong key: {self.path} by {self.user_agent or 'an unnamed client'}, "
            f"{shown}; its events are lost. To mend it: {self.mends}"
        )


class WrongKeys:
    """Tells the kinds of wrong keys apart in bounded memory, and says when one is to be told."""

    def __init__(self) -> None:
        self._told_at: dict[str, float] = {}
        self._warned_at: float | None = None
        self._since = 0

    def judge(self, *, reason: str, path: str, user_agent: str, key_start: str, now: float) -> WrongKey:
        """Return a refused sender in safe words; monotonic seconds say when."""
        project = found[1] if (found := _PROJECT.search(path)) else ""
        start = "".join(one for one in key_start[:KEY_SHOWN] if one.isascii() and one.isalnum())
        return WrongKey(
            reason=reason,
            path=_SECRET.sub(_shorten, _plain(path.split("?", 1)[0])),
            user_agent=_SECRET.sub(_shorten, _plain(user_agent)),
            project=project,
            key_start=start,
            kind=self._kind(f"{project} {start}".strip() or "none", now),
        )

    def warn(self, now: float) -> int:
        """Return how many there were since the last line, if it is time for one; else 0."""
        self._since += 1
        if self._warned_at is not None and now - self._warned_at < WARN_SECONDS:
            return 0
        self._warned_at, since, self._since = now, self._since, 0
        return since

    def is_news(self, wrong: WrongKey, now: float) -> bool:
        """Return True if it is time to report the kind, which counts as reported then."""
        told_at = self._told_at.get(wrong.kind)
        if told_at is not None and now - told_at < AGAIN_SECONDS:
            return False
        self._told_at[wrong.kind] = now
        return True

    def _kind(self, kind: str, now: float) -> str:
        if kind in self._told_at:
            return kind
        self._told_at = {one: at for one, at in self._told_at.items() if now - at < KINDS_SECONDS}
        return kind if len(self._told_at.keys() - {MANY}) < KINDS_MAX else MANY


def _plain(text: str) -> str:
    """Return a text that no terminal obeys, of bounded length."""
    return "".join(one if one.isprintable() else "?" for one in text[:_TEXT_CHARACTERS])


def _shorten(found: re.Match[str]) -> str:
    return f"{found[0][:KEY_SHOWN]}…"
