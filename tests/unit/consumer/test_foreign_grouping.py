"""Which events of other languages' clients are one incident, and which are not."""

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tools.factories import wire_body

from faultwire_consumer.domain.fingerprint import compute, earlier
from faultwire_consumer.ingest.read.grouping import Grouped, Grouper, material_of
from faultwire_consumer.ingest.read.narrow import decode_narrow

BROWSER: Final = "sentry.javascript.browser"
NODE: Final = "sentry.javascript.node"


def group(client: str, *chain: dict[str, Any], **fields: Any) -> Grouped:
    body = wire_body(exceptions=list(chain), sdk={"name": client, "version": "11.0"}, **fields)
    return Grouper().group(decode_narrow(body))


def key(client: str, *chain: dict[str, Any], **fields: Any) -> bytes:
    return group(client, *chain, **fields).fingerprint.key


def thrown(kind: str, value: str, *frames: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, "frames": list(frames)} | fields


def call(qualname: str, file: str = "/dist/page.js", source: str = "", **fields: Any) -> dict[str, Any]:
    return {"file": file, "qualname": qualname, "context": [source] if source else []} | fields


def test_an_exception_without_a_type_is_the_message_that_it_stands_beside() -> None:
    stack = thrown("", "order o-17 is cold", call("report"))
    with_stack = group(NODE, stack, message="order o-17 is cold")
    assert with_stack.fingerprint.key == key(NODE, message="order o-18 is cold")
    assert (with_stack.title, with_stack.culprit) == ("order o-17 is cold", "")
    by_template = {"message": "order o-17 is cold", "template": "order %s is cold"}
    assert key(NODE, stack, **by_template) == key("sentry.python", **by_template)


def test_an_exception_without_a_type_and_a_message_is_named_by_its_text() -> None:
    grouped = group(NODE, thrown("", "cache is cold\nvery", call("report")), message="")
    assert grouped.title == "cache is cold"
    assert grouped.fingerprint.parts[-1] == "message cache is cold very"


def test_what_was_thrown_and_is_no_error_is_told_by_its_text_wherever_it_was_reported() -> None:
    made = {"attributes": {"synthetic": True}}
    first = group(NODE, thrown("Error", "no stock for 17", call("report", source="capture(thrown)"), **made))
    again = group(NODE, thrown("Error", "no stock for 18", call("other"), **made))
    other = group(NODE, thrown("Error", "no price for 17", call("report", source="capture(thrown)"), **made))
    assert first.fingerprint.key == again.fingerprint.key != other.fingerprint.key
    assert (first.title, first.culprit) == ("Error: no stock for 17", "")
    assert any("thrown" in part for part in first.fingerprint.parts)


def test_two_builds_of_a_page_are_one_incident() -> None:
    text = "Cannot read properties of undefined (reading 'total')"
    old = [call("t", "/js/main.4f3a9c.js"), call("br", "/js/main.4f3a9c.js")]
    new = [call("n", "/js/main.0b1d4e.js"), call("Xe", "/js/252.js"), call("$0", "/js/main.0b1d4e.js")]
    assert key(BROWSER, thrown("TypeError", text, *old)) == key(BROWSER, thrown("TypeError", text, *new))


def test_two_bugs_of_one_bundle_are_told_apart_by_type_text_and_the_name_next_to_the_crash() -> None:
    def crash(kind: str, name: str, caller: str = "n") -> bytes:
        text = f"Cannot read properties of undefined (reading '{name}')"
        return key(BROWSER, thrown(kind, text, call("t"), call(f"e.{caller}"), call("br")))

    found = [
        *(crash("TypeError", "total"), crash("TypeError", "items"), crash("Error", "total")),
        *(crash("TypeError", "total", "onSubmit"), crash("TypeError", "total", "loadCart")),
    ]
    assert len(set(found)) == len(found)


def test_what_a_bundle_s_error_was_wrapped_into_counts_by_its_text() -> None:
    cause = thrown("TypeError", "Failed to fetch", call("t"), call("br"))
    refused = thrown("Error", "order 17 was refused", call("t"), call("n"))
    again, other = refused | {"value": "order 18 was refused"}, refused | {"value": "cart is lost"}
    assert key(BROWSER, refused, cause) == key(BROWSER, again, cause) != key(BROWSER, other, cause)


def test_a_stack_that_is_not_minified_is_told_by_its_calls() -> None:
    frames = [call("onClick", "/js/main.4f3a9c.js"), call("showTotal", "/js/main.4f3a9c.js")]
    one = group(BROWSER, thrown("TypeError", "a", *frames))
    assert one.fingerprint.key == key(BROWSER, thrown("TypeError", "b", *frames))
    assert one.fingerprint.key != key(BROWSER, thrown("TypeError", "a", frames[0], call("showTax")))
    assert one.culprit == "/js/main.js in showTotal"


def test_a_short_name_whose_source_is_known_is_a_name() -> None:
    one = thrown("RangeError", "too deep", call("f", "/srv/app/a.js", "return f(n)"))
    assert key(NODE, one) == key(NODE, one | {"value": "other"})


def test_a_module_s_own_level_is_not_there_when_a_function_goes_on_after_it_waited() -> None:
    inside = call("pay", "/srv/app/a.js", "await charge()")
    start = call("Object.<anonymous>", "/srv/app/main.js", "start()")
    assert key(NODE, thrown("Error", "a", start, inside)) == key(NODE, thrown("Error", "a", inside))
    assert key(NODE, thrown("Error", "a", start)) != key(NODE, thrown("Error", "a", inside))


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("ENOENT: no such file or directory, open '/srv/17'", {}),
        ("ENOENT: no such file or directory, open", {"errno": "ENOENT", "syscall": "open"}),
        ("no such file", {"errno": -2, "code": "ENOENT", "syscall": "open"}),
    ],
)
def test_a_failed_system_call_of_node_is_named_once(text: str, attributes: dict[str, Any]) -> None:
    failed = thrown("Error", text, call("load", "/srv/app/a.js", "open(name)"), attributes=attributes)
    parts = group(NODE, failed).fingerprint.parts
    assert {"detail errno=ENOENT", "detail operation=open"} <= set(parts)


def test_an_error_of_go_counts_by_its_text_as_its_frames_are_where_it_was_reported() -> None:
    def reported(text: str) -> bytes:
        raised = thrown("*fmt.wrapError", text, call("main.func1", "/srv/main.go", "report(err)"))
        return key("sentry.go", raised, thrown("*errors.errorString", "EOF"))

    assert reported("charge 17: EOF") == reported("charge 18: EOF") != reported("refund 17: EOF")


def test_calls_of_a_ruby_script_count_although_its_client_claims_none() -> None:
    def failed(source: str, number: int) -> bytes:
        frames = [
            call("block in run", "active_support/callbacks.rb", f"step {number}", in_app=False),
            call("block in pay", "shop.rb", source, in_app=False),
        ]
        return key("sentry.ruby", thrown("RuntimeError", "no", *frames))

    assert failed("charge", 1) == failed("charge", 2) != failed("refund", 1)


def test_an_errno_that_old_clients_lend_from_the_cause_does_not_tell_their_releases_apart() -> None:
    lent = {"attributes": {"errno": 111}}
    cause = thrown("ConnectionRefusedError", "[Errno 111] no", call("charge", "a.py", "connect()"), **lent)
    raised = thrown("PaymentError", "refused", call("pay", "a.py", "charge()"))
    assert key("sentry.python", raised | lent, cause) == key("sentry.python", raised, cause)


def test_a_comprehension_is_its_function_in_python_before_and_since_3_12() -> None:
    own = call("total", "a.py", "sum([line.net for line in lines])", module="shop")
    inside = own | {"qualname": "<listcomp>"}
    assert key("sentry.python", thrown("TypeError", "a", own, inside)) == key(
        "sentry.python", thrown("TypeError", "a", own)
    )


def test_the_logger_counts_for_clients_that_tell_it_beside_and_not_where_all_have_one_name() -> None:
    assert key("sentry.python", message="a", context={"logger": "x"}) != key("sentry.python", message="a")
    assert key("raven-js", message="a", context={"logger": "javascript"}) == key("raven-js", message="a")


def test_a_bundle_s_members_of_a_group_count_by_their_texts() -> None:
    def group_of(*texts: str) -> bytes:
        members = [[thrown("TypeError", text, call("br"))] for text in texts]
        return key(BROWSER, thrown("AggregateError", "two failed", call("t"), members=members))

    assert group_of("first 1", "second") == group_of("second", "first 2") != group_of("first 1", "third")


def test_no_version_before_is_asked_for_what_came_in_by_the_gateway() -> None:
    body = wire_body(exceptions=[thrown("TypeError", "a", call("pay"))], sdk={"name": NODE, "version": "11"})
    assert earlier(material_of(decode_narrow(body))) is None


TEXTS: Final = [
    *("", "a 1", "a 2", "b 1", "HTTP 401", "HTTP 503", "ENOENT: no such file, open", "x.y is not a function"),
    *(f"Cannot read properties of null (reading '{name}')" for name in ("id", "net")),
    *(f"Minified React error #{code}" for code in (17, 18)),
]
STACKS: Final = [
    [call("t"), call("br")],
    [call("t"), call("e.onSubmit"), call("br")],
    [call("Object.<anonymous>", source="start()"), call("pay", source="charge()")],
    [call("block in pay"), call("main.func1", in_app=False)],
]
_exceptions = st.builds(
    lambda kind, text, frames, told: thrown(kind, text, *frames, attributes=told),
    st.sampled_from(["Error", "Error", "*errors.errorString", ""]),
    st.sampled_from(TEXTS),
    st.sampled_from(STACKS),
    st.sampled_from([{}, {}, {}, {"synthetic": True}, {"errno": -2, "code": "ENOENT"}]),
)
_clients = st.sampled_from([BROWSER, "sentry.go", "sentry.ruby", "sentry.python", "faultwire-python"])
_chains = st.lists(_exceptions, max_size=2)


def assert_remembers_rightly(client: str, *chains: list[dict[str, Any]]) -> None:
    grouper = Grouper()
    for chain in chains:
        message = chain[0]["value"] if chain else ""
        body = wire_body(exceptions=chain, message=message or "m", sdk={"name": client, "version": "1"})
        event = decode_narrow(body)
        assert grouper.group(event).fingerprint == compute(material_of(event)), chain


@pytest.mark.parametrize("client", [BROWSER, "sentry.go", "sentry.ruby", "opentelemetry", "of nobody"])
@pytest.mark.parametrize("stack", range(len(STACKS)))
def test_a_stack_that_was_seen_with_one_text_is_told_rightly_with_another(client: str, stack: int) -> None:
    chains = [[thrown("Error", text, *STACKS[stack])] for text in TEXTS]
    wrapped = [[thrown("Error", text, *STACKS[stack]), chains[1][0]] for text in TEXTS]
    made = [[one | {"attributes": {"synthetic": True}} for one in chain] for chain in chains]
    logged = [[one | {"type": ""} for one in chain] for chain in chains]
    assert_remembers_rightly(client, *chains, *wrapped, *made, *logged)


def test_what_an_outer_text_tells_of_its_cause_is_not_forgotten() -> None:
    cause = thrown("SQLError", "no", *STACKS[2])
    chains = [[thrown("Error", f'the column "{name}" is gone', *STACKS[2]), cause] for name in "ab"]
    assert_remembers_rightly("sentry.go", *chains)


@settings(deadline=None)
@given(_clients, st.lists(_chains, max_size=8))
def test_what_is_remembered_of_stacks_changes_no_answer(client: str, chains: list[Any]) -> None:
    assert_remembers_rightly(client, *chains)


def test_a_library_that_names_no_language_is_of_that_of_its_files() -> None:
    named = thrown("Error", "a", call("Object.pay", "https://a.example/js/main.4f3a9c.js"))
    assert key("opentelemetry", named) == key(NODE, named) != key("sentry.ruby", named)
    block = thrown("Error", "a", call("block in pay", "shop.rb"))
    assert key("opentelemetry", block) == key("sentry.ruby", block)


def test_a_stack_of_one_client_is_not_taken_for_another_s() -> None:
    grouper, chain = Grouper(), [thrown("Error", "a", *STACKS[3])]
    for client in ("faultwire-python", "sentry.ruby", "sentry.go", BROWSER):
        event = decode_narrow(wire_body(exceptions=chain, sdk={"name": client, "version": "1"}))
        assert grouper.group(event).fingerprint == compute(material_of(event))
