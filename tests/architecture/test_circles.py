"""No module and no folder needs itself: neither openly, nor in a function or behind TYPE_CHECKING."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

import grimp
import pytest

PACKAGES: Final = ("faultwire", "faultwire_consumer", "faultwire_shared")

Arrows = Mapping[str, Iterable[str]]


@pytest.fixture(scope="module")
def arrows() -> Arrows:
    """Which module imports which; grimp reads every import statement, wherever it stands."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def folded(arrows: Arrows) -> Arrows:
    """The same between what stands directly in each package."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for importer, imported in arrows.items():
        place = _place(importer)
        found[place] |= {_place(name) for name in imported} - {place}
    return found


def _place(module: str) -> str:
    return ".".join(module.split(".")[:2])


def circle_in(arrows: Arrows) -> list[str]:
    """One circle, from a name back to it; nothing where there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def test_a_circle_is_found() -> None:
    assert sorted(circle_in({"a": ["b"], "b": ["c"], "c": ["b"]})) in (["b", "b", "c"], ["b", "c", "c"])
    assert circle_in({"a": ["b", "c"], "b": ["c"]}) == []
    assert circle_in({"p.a.x": ["p.b.x"], "p.b.y": ["p.a.y"]}) == []
    assert circle_in(folded({"p.a.x": ["p.b.x"], "p.b.y": ["p.a.y"]}))


def test_imports_that_are_hidden_are_seen(arrows: Arrows) -> None:
    assert "faultwire.sync" in arrows["faultwire"], "it stands behind TYPE_CHECKING alone"
    assert "faultwire.publish.transport_http" in arrows["faultwire.assembly"], "it stands in a function alone"


def test_no_module_needs_itself(arrows: Arrows) -> None:
    circle = circle_in(arrows)
    assert not circle, " -> ".join(circle)


def test_no_folder_needs_itself(arrows: Arrows) -> None:
    circle = circle_in(folded(arrows))
    assert not circle, " -> ".join(circle)
