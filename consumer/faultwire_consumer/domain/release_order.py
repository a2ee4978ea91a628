"""The order of a service's releases: versions by their parts, other names by when they were first seen."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

RELEASE_CHARACTERS: Final = 200
"""The longest name that is read as a version."""

_VERSION: Final = re.compile(
    r"(?:[^@]*@){0,2}v?(?P<numbers>\d{1,18}(?:\.\d{1,18}){0,7})"
    r"(?:-(?P<ahead>[0-9A-Za-z-]{1,50}(?:\.[0-9A-Za-z-]{1,50}){0,7}))?(?:\+.*)?",
    re.ASCII,
)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)

VersionKey = tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]
"""Numbers without zeros at their end; 0 for what comes ahead of the version itself, else 1; its words."""
FirstSights = Mapping[str, datetime]
"""When a service's releases were first seen."""


def version_key(release: str) -> VersionKey | None:
    """Return what a version is compared by; None for other names, such as a commit's.

    It is read as semantic versions are, of one to eight numbers, after ``v`` or ``name@`` where one
    of these stands, as in Sentry's ``shop@1.4.2+build5``; a name may be npm's ``@acme/shop``. What follows a
    plus says nothing.
    """
    found = _VERSION.fullmatch(release) if len(release) <= RELEASE_CHARACTERS else None
    if found is None:
        return None
    numbers = [int(part) for part in found["numbers"].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    if found["ahead"] is None:
        return tuple(numbers), 1, ()
    return tuple(numbers), 0, tuple(_word_key(word) for word in found["ahead"].split("."))


def _word_key(word: str) -> tuple[int, int, str]:
    """Return a key by which numbers come before words, as semantic versions have it."""
    is_number = word.isdigit() and len(word) <= 18
    return (0, int(word), "") if is_number else (1, 0, word)


def compare_releases(one: str, other: str, first_seen: FirstSights) -> int:
    """Compare two releases of a service: below 0 if the first is older, 0 if they are the same.

    Two versions are compared by their parts. If one of them is none, the one that was seen first is the
    older; a release that was not seen yet is newer than those that were.
    """
    if one == other:
        return 0
    key, other_key = version_key(one), version_key(other)
    if key is not None and other_key is not None:
        return (key > other_key) - (key < other_key)
    at, other_at = first_seen.get(one, _NEVER), first_seen.get(other, _NEVER)
    return (at > other_at) - (at < other_at)


def newest_release(first_seen: FirstSights) -> str | None:
    """Return the newest of a service's releases; None if it has none.

    Whether that is the highest version or the name that was seen last is as the last one seen is named.
    """
    if not first_seen:
        return None
    last = max(first_seen, key=lambda release: (first_seen[release], release))
    if version_key(last) is None:
        return last
    return max(_versions(first_seen), key=lambda release: (version_key(release) or ((), 0, ()), release))


def _versions(releases: Iterable[str]) -> list[str]:
    return [release for release in releases if version_key(release) is not None]
