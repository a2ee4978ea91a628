"""The effect of grouping events anew: incidents that would split, and incidents that would merge."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace


class Move(Struct, frozen=True, kw_only=True):
    """Events that share one fingerprint now, and would share one afterwards."""

    fingerprint: str
    incident_id: str
    new_fingerprint: str
    new_incident_id: str | None
    """The incident that the new fingerprint belongs to, or would join as its events come in."""
    title: str
    events: int
    count: int
    """Sum of the events' counts: a collapsed event stands for several."""
    example: str
    """Id of the first of them."""

    @property
    def stays(self) -> bool:
        """True if nothing changes for these events."""
        return self.fingerprint == self.new_fingerprint

    @property
    def destination(self) -> str:
        """The incident that would have these events; a new one is named by its fingerprint."""
        return self.new_incident_id or self.new_fingerprint


class GroupChange(Struct, frozen=True):
    """Incidents that would change, and where their events would go."""

    incidents: tuple[str, ...]
    moves: tuple[Move, ...]


class Regrouping(Struct, frozen=True):
    """The changes that operators would see."""

    splits: tuple[GroupChange, ...]
    """Events of one fingerprint that would go to more than one incident."""
    merges: tuple[GroupChange, ...]
    """Events of several incidents that would have one fingerprint."""
    renamed: int
    """Number of fingerprints whose events would get others, and stay in one incident."""
    unchanged: int
    """Number of fingerprints that stay."""


def add_up(moves: Iterable[Move]) -> list[Move]:
    """Sum up the moves of several pages: one for each pair of fingerprints, in their order."""
    sums: dict[tuple[str, str], Move] = {}
    for move in moves:
        key = (move.fingerprint, move.new_fingerprint)
        known = sums.get(key)
        sums[key] = (
            move
            if known is None
            else replace(known, events=known.events + move.events, count=known.count + move.count)
        )
    return list(sums.values())


def judge(moves: Sequence[Move]) -> Regrouping:
    """Judge what the summed-up moves would change."""
    before: dict[str, list[Move]] = defaultdict(list)
    after: dict[str, list[Move]] = defaultdict(list)
    for move in moves:
        before[move.fingerprint].append(move)
        after[move.new_fingerprint].append(move)
    merging = {key for key, group in after.items() if len(_incidents_of(group)) > 1}
    splits = [_change(group) for group in before.values() if _is_split(group)]
    merges = [_change(after[key]) for key in after if key in merging]
    whole = [group for group in before.values() if not _is_split(group)]
    still = [group for group in whole if not any(move.new_fingerprint in merging for move in group)]
    return Regrouping(
        splits=tuple(splits),
        merges=tuple(merges),
        renamed=sum(not all(move.stays for move in group) for group in still),
        unchanged=sum(all(move.stays for move in group) for group in still),
    )


def _is_split(group: Sequence[Move]) -> bool:
    return len({move.destination for move in group}) > 1


def _incidents_of(group: Iterable[Move]) -> list[str]:
    """Return the incidents that a group belongs to, or would belong to, in their order."""
    named = [name for move in group for name in (move.incident_id, move.new_incident_id) if name]
    return list(dict.fromkeys(named))


def _change(group: Sequence[Move]) -> GroupChange:
    return GroupChange(tuple(_incidents_of(group)), tuple(sorted(group, key=lambda move: -move.events)))
