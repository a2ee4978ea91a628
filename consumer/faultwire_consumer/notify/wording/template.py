"""Templates of operators: the part of Jinja in which every rendering ends, and no stranger's text is markup.

A sandbox alone keeps a template from the worker's objects, and not from its time and memory: two nested
loops over ``range`` never end, and doubling a text forty times fills any machine. So a template may say
what is in the language below and nothing else: no calls, no arithmetic that makes texts longer, loops over
what it is given alone, and those counted by what they cost.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template, TemplateError, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from faultwire_shared.text import printable

SOURCE_BYTES: Final = 32 * 1024
STEPS_MAX: Final = 50_000
"""Steps in all loops of one rendering together: each part of a loop's body in each round."""
COSTLY_STEPS: Final = 5
"""Steps that a filter, a comparison and ``~`` count for: they walk through texts."""
PIECES_MAX: Final = 50_000
"""Pieces of text, empty ones too, of one rendering."""
WHY_CHARACTERS: Final = 200

_ALLOWED: Final[tuple[type[nodes.Node], ...]] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const),
    *(nodes.For, nodes.If, nodes.CondExpr, nodes.Assign, nodes.Filter, nodes.Test),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Concat, nodes.Sub, nodes.Div, nodes.FloorDiv),
    *(nodes.Tuple, nodes.List, nodes.Keyword),
)
FILTERS: Final = (
    *("abs", "capitalize", "counted", "default", "e", "escape", "first", "float", "int", "join", "last"),
    *("length", "lower", "number", "reverse", "round", "title", "trim", "truncate", "upper", "urlencode"),
)
TESTS: Final = (
    *("defined", "undefined", "none", "true", "false", "number", "string", "sequence", "in"),
    *("eq", "ne", "lt", "le", "gt", "ge", "==", "!=", "<", "<=", ">", ">=", "even", "odd", "divisibleby"),
)
_STEPS: Final = "steps left"
_SPEND: Final = "counted rounds"
_BETWEEN_MAX: Final = 20
_JOINED_MAX: Final = 4_000
_COSTLY: Final = (nodes.Filter, nodes.Compare, nodes.Concat, nodes.Test)


class TemplateFaultError(ValueError):
    """A template that cannot be used; the text says why, in one line without a stranger's words."""

    def __init__(self, name: str, line: int, why: str) -> None:
        super().__init__(f"{name}:{line}: {printable(why[:WHY_CHARACTERS])}")
        self.name = name
        self.line = line


class OwnTemplate:
    """A checked template.

    Args:
        name: as its faults call it, such as a path.
        source: what somebody wrote.
        html: its text is HTML, and what it is given is escaped for that.

    Raises:
        TemplateFaultError: it is not in the language.
    """

    def __init__(self, name: str, source: str, *, html: bool = False) -> None:
        self.name = name
        self._template = _compile(name, source, html=html)

    def render(self, values: Mapping[str, Any], *, maximum: int) -> str:
        """Write it with these values: plain data, since whatever is in them can be shown.

        Args:
            values: dicts, lists, texts, numbers.
            maximum: of characters.

        Raises:
            TemplateFaultError: it asks for what is not there, or goes on for too long.
        """
        try:
            return "".join(self._pieces(values, maximum))
        except Exception as error:  # noqa: BLE001 - whatever it raises is its fault; a built-in one stands in
            raise self._fault(error) from None

    def _pieces(self, values: Mapping[str, Any], maximum: int) -> Iterator[str]:
        left = maximum
        for number, piece in enumerate(self._template.generate({**values, _STEPS: [STEPS_MAX]})):
            left -= len(piece)
            if left < 0 or number >= PIECES_MAX:
                raise TemplateError(f"it writes more than {maximum:,} characters, or {PIECES_MAX:,} pieces")
            yield piece

    def _fault(self, error: Exception) -> TemplateFaultError:
        line, at = 1, error.__traceback__
        while at is not None:
            if at.tb_frame.f_code.co_filename == self.name:
                line = at.tb_lineno
            at = at.tb_next
        return TemplateFaultError(self.name, line, str(error) or type(error).__name__)


def _compile(name: str, source: str, *, html: bool) -> Template:
    environment = _HTML if html else _TEXT
    if len(source) > SOURCE_BYTES:
        raise TemplateFaultError(name, 1, f"it is longer than {SOURCE_BYTES:,} characters")
    try:
        tree = environment.parse(source, name)
        _check(tree, name)
        for loop in list(tree.find_all(nodes.For)):
            cost = [nodes.Const(_cost_of(loop), lineno=loop.lineno)]
            loop.iter = nodes.Filter(loop.iter, _SPEND, cost, [], None, None, lineno=loop.lineno)
        code = environment.compile(tree, name, name)
        return Template.from_code(environment, code, environment.make_globals(None))
    except TemplateFaultError:
        raise
    except Exception as error:  # noqa: BLE001 - a parser and two compilers read it, with errors of their own
        raise TemplateFaultError(name, getattr(error, "lineno", None) or 1, _said(error)) from None


def _said(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _cost_of(loop: nodes.For) -> int:
    """Count the steps of one round; loops within count their own."""
    body = [one for part in (*loop.body, *([loop.test] if loop.test else ())) for one in _walk_round(part)]
    return 1 + sum(COSTLY_STEPS if isinstance(one, _COSTLY) else 1 for one in body)


def _walk_round(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    inner = [node.iter] if isinstance(node, nodes.For) else node.iter_child_nodes()
    for child in inner:
        yield from _walk_round(child)


def _check(tree: nodes.Template, name: str) -> None:
    for node in _walk(tree):
        why = _refused(node)
        if why:
            raise TemplateFaultError(name, node.lineno or 1, why)


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _refused(node: nodes.Node) -> str:
    """Say why a template may not have this; nothing if it may."""
    if not isinstance(node, _ALLOWED):
        return f"{_WORDS.get(type(node), type(node).__name__)} is not for templates of notifications"
    look = _CHECKS.get(type(node))
    return look(node) if look else ""


def _refuse_filter(node: Any) -> str:
    return "" if node.name in FILTERS else f"no filter {node.name}; there are {', '.join(FILTERS)}"


def _refuse_test(node: Any) -> str:
    return "" if node.name in TESTS else f"no test {node.name}; there are {', '.join(TESTS)}"


def _refuse_for(node: Any) -> str:
    if node.recursive:
        return "a recursive loop is not for templates of notifications"
    return _refuse_literal(
        node.iter, "a loop goes over what a notification has, not over what is written here"
    )


def _refuse_assign(node: Any) -> str:
    if any(isinstance(one, nodes.Concat) for one in _walk(node.node)):
        return "set cannot join texts with ~: write them one after another"
    return _refuse_literal(node.node, "set takes no list")


def _refuse_literal(node: nodes.Node, why: str) -> str:
    return why if any(isinstance(one, nodes.List | nodes.Tuple) for one in _walk(node)) else ""


def _refuse_attribute(node: Any) -> str:
    return "a name does not begin with _" if node.attr.startswith("_") else ""


def _refuse_name(node: Any) -> str:
    return "a name does not begin with _" if node.name.startswith("_") else ""


_CHECKS: Final[Mapping[type[nodes.Node], Callable[[Any], str]]] = {
    nodes.Filter: _refuse_filter,
    nodes.Test: _refuse_test,
    nodes.For: _refuse_for,
    nodes.Assign: _refuse_assign,
    nodes.Getattr: _refuse_attribute,
    nodes.Name: _refuse_name,
}
_WORDS: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Call: "a call, such as range(),",
    nodes.Add: "+",
    nodes.Mul: "*",
    nodes.Pow: "**",
    nodes.Mod: "%",
    nodes.Macro: "a macro",
    nodes.CallBlock: "a call of a macro",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Extends: "extends",
    nodes.Block: "a block",
    nodes.With: "with",
    nodes.AssignBlock: "a set of more than a value",
    nodes.FilterBlock: "a block with a filter",
    nodes.Dict: "a dict",
}


@pass_context
def _spend(context: Context, value: Any, cost: int) -> Sequence[Any]:
    """Count the steps of a loop before it begins."""
    if not isinstance(value, list | tuple):
        raise TemplateError("a loop goes over a list")
    left: list[int] = context[_STEPS]
    left[0] -= len(value) * cost
    if left[0] < 0:
        raise TemplateError(f"its loops go on for more than {STEPS_MAX:,} steps")
    return value


def join_texts(values: Sequence[Any], between: str = "") -> str:
    """Join the texts of a list; Jinja's own joins the letters of a text too, by a text of any length."""
    if not isinstance(values, list | tuple):
        raise TemplateError("join is for a list")
    return str(between)[:_BETWEEN_MAX].join(str(value) for value in values)[:_JOINED_MAX]


def count_out(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun: ``1 event``, ``2 events``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def spell_number(number: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{number:,}"


def prepare(environment: Environment) -> Environment:
    """Give an environment the words that built-in templates and operators' share."""
    environment.filters.update(counted=count_out, number=spell_number)
    return environment


def _environment(*, html: bool) -> Environment:
    environment = prepare(
        ImmutableSandboxedEnvironment(
            autoescape=html,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
    )
    environment.filters.update({"join": join_texts, _SPEND: _spend})
    return environment


_TEXT: Final = _environment(html=False)
_HTML: Final = _environment(html=True)
