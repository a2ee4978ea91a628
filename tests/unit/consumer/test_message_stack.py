"""How a message that has a stack, which is an exception without a type, is shown."""

from io import StringIO

from rich.console import Console

from faultwire_consumer.cli.event_view import python_traceback, show_chain
from faultwire_consumer.domain.report.trace import trace_lines
from faultwire_consumer.web.page.incident.stack import LOGGED, RAISED, view_chain
from faultwire_shared.event import ExceptionInfo, Frame

LOGGED_HERE = ExceptionInfo(type="", value="cache is cold", frames=[Frame(file="a.js", qualname="report")])
NAMED = ExceptionInfo(type="KeyError")


def test_its_trace_ends_with_the_text_alone() -> None:
    assert trace_lines([LOGGED_HERE])[-1] == "cache is cold"
    assert trace_lines([NAMED])[-1] == "KeyError"
    assert trace_lines([ExceptionInfo(type="")]) == []


def test_the_page_calls_it_logged() -> None:
    (message,), (error,) = view_chain([LOGGED_HERE]), view_chain([NAMED])
    assert (message.relation, message.type) == (LOGGED, "")
    assert (error.relation, error.type) == (RAISED, "KeyError")


def test_the_command_line_writes_its_text_above_its_calls() -> None:
    out = StringIO()
    event = {
        "type": "",
        "value": "cache is cold",
        "frames": [{"file": "a.js", "line": 3, "qualname": "report"}],
    }
    show_chain([event, {"type": "KeyError"}], Console(file=out, width=100))
    assert out.getvalue().splitlines() == ["cache is cold", "  a.js:3 in report", "caused by KeyError"]
    assert python_traceback({"exceptions": [event]}).splitlines()[-1] == "cache is cold"
