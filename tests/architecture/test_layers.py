"""The layers of the tests: each uses the tools and the servers, and none uses another."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
SHARED: Final = {"tools", "servers"}
_MODULE: Final = re.compile(r"tests\.(\w+)\.[\w.]+(?::\w+)?")


def _layers() -> set[str]:
    return {path.name for path in TESTS.iterdir() if any(path.rglob("*.py"))} - SHARED


def _named(source: str) -> Iterator[str]:
    """The folders under ``tests`` that a module imports from, or whose programs it starts by their name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "tests":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from _folder(f"{node.module}.")
        elif isinstance(node, ast.Import):
            yield from (folder for alias in node.names for folder in _folder(f"{alias.name}."))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _MODULE.fullmatch(node.value):
            yield from _folder(node.value)


def _folder(module: str) -> list[str]:
    first, _, rest = module.partition(".")
    return [rest.partition(".")[0]] if first == "tests" else []


def _outside(folder: str, allowed: set[str], *, tests: bool = True) -> dict[str, set[str]]:
    """What the modules of a folder use that they may not; without its tests where they may use more."""
    found = {
        str(path.relative_to(TESTS)): set(_named(path.read_text())) - allowed
        for path in sorted((TESTS / folder).rglob("*.py"))
        if tests or not path.name.startswith("test_")
    }
    return {path: names for path, names in found.items() if names}


def test_no_layer_uses_another() -> None:
    layers = _layers()
    assert len(layers) > 8
    assert {layer: found for layer in layers if (found := _outside(layer, {layer} | SHARED))} == {}


def test_the_tools_use_no_layer_and_the_servers_use_themselves() -> None:
    assert _outside("tools", SHARED) == {}
    assert _outside("servers", {"servers"}, tests=False) == {}
    assert _outside("servers", SHARED) == {}


def test_what_is_shared_lies_in_a_folder() -> None:
    assert [path.name for path in TESTS.glob("*.py")] == ["conftest.py"]
    assert set(_named((TESTS / "conftest.py").read_text())) <= SHARED


def _fixtures(source: str) -> Iterator[str]:
    """Each fixture of a module, from its name to its end, without its decorator and docstring."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if any("pytest.fixture" in ast.unparse(decorator) for decorator in node.decorator_list):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            yield "\n".join([node.name, *map(ast.unparse, body)])


def test_a_fixture_is_defined_once() -> None:
    places = defaultdict(list)
    for path in sorted(TESTS.rglob("*.py")):
        for fixture in _fixtures(path.read_text()):
            places[fixture].append(str(path.relative_to(TESTS)))
    assert len(places) > 50
    assert {fixture: where for fixture, where in places.items() if len(where) > 1} == {}
