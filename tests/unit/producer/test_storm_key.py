"""What a client takes for the same error, the worker puts into one incident."""

import errno
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultwire import BusinessError
from faultwire.capture.event import Origin, event_from
from faultwire.capture.frame import FrameReader
from faultwire.capture.handled import Extras, Handled, judge
from faultwire.pipeline.encoding import encode_bounded
from faultwire.pipeline.storm_key import StormKey, storm_key
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.narrow import decode_narrow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORIGIN = Origin(service="shop", environment="test", release=None, host=None)
FRAMES = FrameReader()
_numbers = count()


class ClosedError(BusinessError):
    code = "ORDER_CLOSED"


class StatusError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__("gateway answered")
        self.status = status


def plain(text: str) -> None:
    raise ValueError(text)


def two_raises(text: str) -> None:
    if len(text) % 2:
        raise ValueError(text)
    raise ValueError(text)


def chained(text: str) -> None:
    try:
        plain(text)
    except ValueError as error:
        raise LookupError("x") from error


def grouped(text: str) -> None:
    raise ExceptionGroup(text, [caught(plain, text), KeyError("k")])  # type: ignore[type-var]  # an Exception


def recursing(text: str) -> None:
    if text:
        recursing(text[1:])
    raise RecursionError


def os_error(text: str) -> None:
    raise OSError((errno.ENOSPC, errno.ENAMETOOLONG)[len(text) % 2], text)


def status(text: str) -> None:
    raise StatusError((401, 503)[len(text) % 2])


def status_in_text(text: str) -> None:
    raise RuntimeError(f"{text} HTTP {(401, 503)[len(text) % 2]}")


def declared(text: str) -> None:
    raise (ClosedError, BusinessError)[len(text) % 2](text)


RAISES = [plain, two_raises, chained, grouped, recursing, os_error, status, status_in_text, declared]


def caught(function: Callable[[str], None], text: str) -> BaseException:
    try:
        function(text)
    except BaseException as error:  # noqa: BLE001 - whatever it raises is the subject
        return error
    raise AssertionError


@st.composite
def handled_errors(draw: st.DrawFn) -> Handled:
    texts = st.text("ab1 ", max_size=6)
    text = draw(texts)
    error = draw(
        st.sampled_from([*(caught(function, text) for function in RAISES), ValueError(text), text, None])
    )
    extras = Extras(
        fingerprint=draw(st.sampled_from([None, "x", ["{{ default }}", "y"], ("x",)])),
        template=draw(st.sampled_from([None, "%s", "order %s"])),
        tags=draw(st.sampled_from([None, {"logger": "a"}, {"logger": "b"}])),
    )
    return judge(error, at=NOW, severity=draw(st.sampled_from([None, "critical"])), extras=extras)


def fingerprint(handled: Handled) -> bytes:
    event = event_from(handled, event_id="error_20261123_aaaaaaaaaaaaaaaa", origin=ORIGIN, frames=FRAMES)
    return Grouper(0).group(decode_narrow(encode_bounded(event)[0])).fingerprint.digest


@settings(max_examples=4 * settings().max_examples)
@given(one=handled_errors(), other=handled_errors())
def test_one_burst_is_never_two_incidents(one: Handled, other: Handled) -> None:
    if storm_key(one) == storm_key(other):
        assert fingerprint(one) == fingerprint(other)
        assert one.severity == other.severity


@pytest.mark.parametrize("function", RAISES)
def test_the_same_failure_with_another_number_in_its_text_is_one_burst(
    function: Callable[[str], None],
) -> None:
    keys: set[StormKey | None] = set()
    for number in range(2):  # one call site, as in a loop
        keys.add(storm_key(judge(caught(function, f"order {number}"), at=NOW)))
    assert len(keys) == 1


def test_a_text_is_told_apart_by_its_template() -> None:
    extras = Extras(template="order %d refused")
    keys = {storm_key(judge(f"order {number} refused", at=NOW, extras=extras)) for number in range(9)}
    assert len(keys) == 1
    assert storm_key(judge("order 1 refused", at=NOW)) != storm_key(judge("order 2 refused", at=NOW))


def test_parts_that_can_be_read_only_once_are_left_to_the_event() -> None:
    def parts() -> Iterator[str]:
        yield f"part {next(_numbers)}"

    one, other = (judge("x", at=NOW, extras=Extras(fingerprint=parts())) for _ in range(2))
    assert storm_key(one) != storm_key(other)
    assert fingerprint(one) != fingerprint(other)


class MeanError(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]  # that is the hostility
        raise RuntimeError


def test_an_error_that_resists_has_no_key() -> None:
    assert storm_key(judge(MeanError("x"), at=NOW)) is None


def compiled(number: int) -> Callable[[str], None]:
    """A function from source that is compiled anew, under a name that was made up for it."""
    names: dict[str, Any] = {"__name__": f"rule_{number}"}
    exec(compile("def rule(text):\n    raise ValueError(text)", "<rule>", "exec"), names)  # noqa: S102 - what it makes is the subject
    found: Callable[[str], None] = names["rule"]
    return found


def test_what_is_compiled_anew_each_time_is_one_burst_and_one_incident() -> None:
    handled = [judge(caught(compiled(number), f"order {number}"), at=NOW) for number in range(3)]
    assert len({storm_key(each) for each in handled}) == 1
    assert len({fingerprint(each) for each in handled}) == 1


def test_what_is_compiled_anew_is_neither_kept_nor_drives_out_what_is_known() -> None:
    reader = FrameReader()
    frames = [reader.read(caught(compiled(number), "x").__traceback__)[0][-1] for number in range(3)]
    assert len({id(frame) for frame in frames}) == 1
    assert (frames[0].module, frames[0].qualname, frames[0].line) == ("", "rule", 2)
    assert len(reader._cache) == 2  # the test's own call, and the first of the three


def test_generated_code_goes_by_the_name_that_its_maker_gave_it() -> None:
    code = compile("1 / 0", "templates/order.html", "exec").replace(co_name="block 'body'")

    def render(_: str) -> None:
        exec(code, {"__name__": "/srv/release-1/templates/order.html"})  # noqa: S102 - as above

    (*_, frame), _ = FrameReader().read(caught(render, "x").__traceback__)
    assert (frame.file, frame.module, frame.qualname) == ("templates/order.html", "", "block 'body'")
