"""Names and sizes of our modules, where a reader starts."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("producer/faultwire", "consumer/faultwire_consumer", "shared/faultwire_shared")

BANNED: Final = {"utils", "util", "helpers", "helper", "common", "misc", "base", "service", "manager"}
ALLOWED: Final = {"producer/faultwire/manager.py"}  # ErrorManager's

ONE_A_HOST: Final = {"ErrorMiddleware"}  # a public name with one meaning, in asgi, wsgi and django
OPENERS: Final = {"What", "Whether", "How", "Who", "Where", "Which", "When", "Why", "Whose", "Whom"}
DOCUMENTED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

MIGRATIONS: Final = "/store/migrations/versions/"  # lists of statements, never changed once released
MODULE_LINES: Final = 350
FOLDER_FILES: Final = 24
ROOMY: Final = {
    "consumer/faultwire_consumer/cli",  # a file a noun: they are found by their names
    "consumer/faultwire_consumer/store/migrations/versions",  # a file a step, and none is ever taken away
}
FUNCTION_LINES: Final = 50
POSITIONAL: Final = 5


def _modules() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text()


def _functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for name, source in _modules():
        if MIGRATIONS in name:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name}:{node.lineno} {node.name}", node


def test_the_packages_are_found() -> None:
    assert len(list(_modules())) > 50


def test_no_module_is_named_after_nothing() -> None:
    named = {
        part for name, _ in _modules() if name not in ALLOWED for part in Path(name).with_suffix("").parts
    }
    assert not named & BANNED


def test_a_module_is_read_in_one_sitting() -> None:
    long = {name: lines for name, source in _modules() if (lines := len(source.splitlines())) > MODULE_LINES}
    assert not long, f"more than {MODULE_LINES} lines: split by responsibility"


def test_a_folder_is_taken_in_at_a_glance() -> None:
    files = Counter(str(Path(name).parent) for name, _ in _modules())
    full = {folder: count for folder, count in files.items() if count > FOLDER_FILES and folder not in ROOMY}
    assert not full, f"more than {FOLDER_FILES} files: what belongs together gets a folder of its own"


def test_a_class_name_stands_for_one_thing() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name, source in _modules():
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    twice = {name: found for name, found in places.items() if len(found) > 1 and name not in ONE_A_HOST}
    assert not twice


def test_a_docstring_opens_with_its_verb_or_noun() -> None:
    hidden = [
        f"{name}:{getattr(node, 'lineno', 1)}"
        for name, source in _modules()
        if MIGRATIONS not in name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, DOCUMENTED)
        and (ast.get_docstring(node) or "x").split()[0].strip(",.:") in OPENERS
    ]
    assert not hidden, "a reader looks for what it does or is, not for a question word"


def test_a_function_fits_on_a_screen() -> None:
    long = {name: lines for name, function in _functions() if (lines := _length(function)) > FUNCTION_LINES}
    assert not long, f"more than {FUNCTION_LINES} lines"


def test_more_than_five_arguments_are_named_by_the_caller() -> None:
    many = [name for name, function in _functions() if len(_positional(function)) > POSITIONAL]
    assert not many


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of code: a command's signature and docstring are its help, not its logic."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    assert function.end_lineno is not None
    return function.end_lineno - first.lineno + 1


def _positional(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    arguments = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return arguments[arguments[:1] in (["self"], ["cls"]) :]
