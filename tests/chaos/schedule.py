"""Which faults come when: a pure function of the seed, the world and the time."""

from random import Random
from typing import Final

from tests.chaos.fault import KINDS, Family, Fault, Kind
from tests.chaos.world import PAIR, World

SECONDS_BETWEEN: Final = 1.2
"""Between two faults, on average."""
CALM_SECONDS: Final = 0.5
"""Before the first one, and after one before its target is hit again."""
ONCE: Final = frozenset({"promote"})
"""There is one standby, and it is a primary for good."""


def plan(seed: int, world: World, seconds: float) -> tuple[Fault, ...]:
    """The faults of a run, in order; the same arguments give the same faults, on every Python.

    A target has one fault at a time, so that what ends one does not end another.
    """
    chance = Random(f"{world.name}:{seed}")
    free_at = {owner_of(target): CALM_SECONDS for _, target in world.targets}
    spent: set[str] = set()
    faults: list[Fault] = []
    at = CALM_SECONDS
    while (at := at + _gap(chance)) < seconds:
        fault = _draw(chance, world, at)
        if fault.kind in spent or free_at[owner_of(fault.target)] > at:
            continue
        free_at[owner_of(fault.target)] = at + fault.seconds + CALM_SECONDS
        if fault.kind in ONCE:
            spent.add(fault.kind)
        faults.append(fault)
    return tuple(faults)


def owner_of(target: str) -> str:
    """Two that share a spool count as one: what is done to that is done to both."""
    return PAIR if target.startswith(PAIR) else target


def _gap(chance: Random) -> float:
    return 2 * SECONDS_BETWEEN * chance.random()


def _draw(chance: Random, world: World, at: float) -> Fault:
    family, target = _pick_target(chance, world.targets)
    kind = _pick_kind(chance, KINDS[family])
    seconds = kind.shortest + (kind.longest - kind.shortest) * chance.random()
    return Fault(round(at, 3), family, target, kind.name, round(seconds, 3), round(chance.random(), 3))


def _pick_target(chance: Random, targets: tuple[tuple[Family, str], ...]) -> tuple[Family, str]:
    """Families alike, however many clients there are."""
    families = sorted({family for family, _ in targets})
    family = families[int(chance.random() * len(families))]
    members = [one for one in targets if one[0] == family]
    return members[int(chance.random() * len(members))]


def _pick_kind(chance: Random, kinds: tuple[Kind, ...]) -> Kind:
    point = chance.random() * sum(kind.weight for kind in kinds)
    for kind in kinds:
        point -= kind.weight
        if point < 0:
            return kind
    return kinds[-1]
