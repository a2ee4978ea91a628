"""The tables that name a promise's tests name tests that stand."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = ROOT / "tests"
PARTS: Final = ("Promises and their tests", "Faults", "The founding document")
_NAMED: Final = re.compile(r"`([\w/.]+/(?:test_\w+\.py)?)(?:::(\w+))?`")


def _rows(document: Path, part: str) -> Iterator[str]:
    """The lines of a part's table, without its head."""
    _, found, rest = document.read_text().partition(f"\n## {part}\n")
    assert found, f"{document.name} has no part {part!r}"
    body = rest.partition("\n## ")[0]
    yield from [line for line in body.splitlines() if line.startswith("| ")][1:]


def _functions(path: Path) -> set[str]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


@pytest.mark.parametrize("part", PARTS)
def test_every_line_names_a_test_that_stands(part: str) -> None:
    rows = list(_rows(TESTS / "README.md", part))
    assert len(rows) > 3
    for row in rows:
        named = _NAMED.findall(row.rstrip("| ").rpartition(" | ")[2])
        assert named, f"no test is named: {row}"
        for place, function in named:
            path = TESTS / place
            assert path.exists(), f"{place} is not there: {row}"
            assert not function or function in _functions(path), f"{place} has no {function}: {row}"


def test_the_front_page_names_tests_that_stand() -> None:
    named = re.findall(r"`tests/([\w/.]+)`", (ROOT / "README.md").read_text())
    assert named
    assert [place for place in named if not (TESTS / place).exists()] == []


def test_each_line_of_the_founding_document_names_its_function() -> None:
    for row in _rows(TESTS / "README.md", "The founding document"):
        assert all(function for _, function in _NAMED.findall(row)), row


def _provoked(path: Path) -> Iterator[int]:
    """The numbers in the markers of a module's tests."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.line":
            yield from (int(ast.unparse(number)) for number in node.args)


def test_each_line_of_the_faults_names_exactly_the_files_that_provoke_it() -> None:
    told = {
        (int(number), place)
        for row in _rows(TESTS / "README.md", "Faults")
        for number in row.strip("| ").partition(" | ")[0].split(", ")
        for place, _ in _NAMED.findall(row.rstrip("| ").rpartition(" | ")[2])
    }
    marked = {
        (number, str(path.relative_to(TESTS)))
        for path in TESTS.rglob("test_*.py")
        for number in _provoked(path)
    }
    assert {number for number, _ in marked} > set(range(1, 28))
    assert told == marked
