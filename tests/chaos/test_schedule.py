"""A seed is a schedule: the same one, everywhere and always."""

import subprocess
import sys
from collections import Counter
from typing import Final

import pytest
from tests.chaos.fault import KINDS
from tests.chaos.schedule import CALM_SECONDS, plan
from tests.chaos.world import WORLDS, World

SECONDS: Final = 60.0


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_the_same_seed_gives_the_same_faults_and_another_gives_others(world: World) -> None:
    assert plan(7, world, SECONDS) == plan(7, world, SECONDS)
    assert plan(7, world, SECONDS) != plan(8, world, SECONDS)


def test_another_process_draws_the_same_faults() -> None:
    code = "from tests.chaos.schedule import plan; from tests.chaos.world import WORLDS"
    code += "\nprint(*plan(7, WORLDS['broker'], 60.0), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(fault) for fault in plan(7, WORLDS["broker"], SECONDS)]


def test_a_schedule_is_what_it_was_when_its_runs_were_written_down() -> None:
    first, *_ = plan(1, WORLDS["sqlite"], SECONDS)
    assert str(first) == "   0.66 s  worker-1 kill for 0.68 s (0.379)"


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_a_target_has_one_fault_at_a_time_and_some_calm_after_it(world: World) -> None:
    for seed in range(20):
        free_at: dict[str, float] = {}
        for fault in plan(seed, world, SECONDS):
            assert free_at.get(fault.target, 0.0) <= fault.at < SECONDS
            free_at[fault.target] = fault.at + fault.seconds + CALM_SECONDS - 0.002  # rounded for the eye


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_everything_that_can_break_does_so_in_some_schedule(world: World) -> None:
    seen = Counter((fault.target, fault.kind) for seed in range(100) for fault in plan(seed, world, SECONDS))
    assert set(seen) == {(target, kind.name) for family, target in world.targets for kind in KINDS[family]}


def test_a_standby_is_promoted_once() -> None:
    for seed in range(50):
        kinds = Counter(fault.kind for fault in plan(seed, WORLDS["cluster"], 4 * SECONDS))
        assert kinds["promote"] <= 1
