"""Local variables by choice: of own calls alone, bounded, scrubbed, and read without a line of their code."""

import collections
import dataclasses
import decimal
import enum
import gc
import json
import logging
import pathlib
import types
import uuid
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from random import Random
from typing import Any, Final, NamedTuple

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.producer.hostile import METHODS, PROPERTIES, HostileHost
from tests.tools.fake_transport import FakeTransport
from tests.tools.secret import CANARY

from faultwire import ErrorManager, SyncErrorManager
from faultwire.capture.chain import Chain
from faultwire.capture.frame import FrameReader
from faultwire.capture.variable import BOUNDS, CALLS, CALLS_OF_EVENT, VARIABLES
from faultwire.testing import capture_events
from faultwire_shared.event import EVENT_BYTES, Event, ExceptionInfo, Frame
from faultwire_shared.snapshot import Snapshot

CUT: Final = "exceptions.frames.vars"


def raised(function: Callable[..., object], *arguments: object) -> BaseException:
    try:
        function(*arguments)
    except BaseException as error:  # noqa: BLE001 - whatever the test raises is its subject
        return error
    raise AssertionError


def read(error: BaseException, **options: Any) -> tuple[list[ExceptionInfo], list[str]]:
    """The chain of an error, and what of it was cut."""
    snapshot = Snapshot()
    return Chain(snapshot, FrameReader(with_variables=True, **options)).read(error), snapshot.truncated


def variables(error: BaseException) -> dict[str, Any]:
    """Those of the call that raised."""
    return read(error)[0][0].frames[-1].vars


def shown(value: object) -> Any:
    """A value as it is told of a call that holds it."""

    def hold(held: object) -> None:
        raise ValueError

    return variables(raised(hold, value))["held"]


def sent(error: BaseException, **options: Any) -> Event:
    errors = ErrorManager(service="shop", transport=FakeTransport, include_locals="own", **options)
    with capture_events(errors) as captured:
        errors.handle_error_nowait(error)
    return captured.event


def recurse(depth: int) -> None:
    if depth:
        recurse(depth - 1)
    raise ValueError("bottom")


class Order:
    """A class of the host's, of which only the name may be told."""


class AlarmError(Exception):
    """Code of a value's has run."""


class Alarmed:
    """Rings when any of its methods runs, and keeps count."""

    rung: list[str] = []  # noqa: RUF012 - one bell for all


def ring(name: str) -> Callable[..., Any]:
    def method(*_: object, **__: object) -> Any:
        Alarmed.rung.append(name)
        raise AlarmError(name)

    return method


def ringing(*kinds: type, **more: Any) -> type:
    """A class of these kinds whose every method and property rings."""
    names = [*METHODS, "__missing__", "__enter__", "__getattr__", "__buffer__"]
    names += ["keys", "items", "values", "isoformat", "_asdict", "value"]
    space: dict[str, Any] = {name: ring(name) for name in names if name != "__hash__"}
    space |= {name: property(ring(name)) for name in PROPERTIES if name not in ("__module__", "__dict__")}
    return type("Ringing", kinds, space | more)


def quiet(*kinds: type) -> Any:
    """A class that rings when anything is asked of it."""
    kind: Any = type.__new__(RingingMeta, "Quiet", kinds, {})
    return kind


class RingingMeta(type):
    """Rings when anything is asked of the class."""

    __getattribute__ = ring("meta.__getattribute__")
    __eq__ = ring("meta.__eq__")
    __hash__ = ring("meta.__hash__")
    __instancecheck__ = ring("meta.__instancecheck__")
    __subclasscheck__ = ring("meta.__subclasscheck__")
    __repr__ = ring("meta.__repr__")


class RingingZone(tzinfo):
    utcoffset = tzname = dst = ring("zone")


class RingingText(str):
    __slots__ = ()
    __str__ = __repr__ = __getitem__ = __len__ = ring("text")


class LazyMapping(Mapping[str, object]):
    """Goes to a database for what it holds."""

    __getitem__ = __iter__ = __len__ = items = ring("lazy")


@dataclasses.dataclass
class WithField:
    """Holds what rings in a field, and has a property beside it."""

    held: object

    @property
    def price(self) -> object:
        return ring("property")()


def ringing_values() -> Iterator[object]:
    """Values of every kind whose own code rings."""
    for kind in (object, dict, list, tuple, set, frozenset, str, int, float, complex, bytes, bytearray):
        yield object.__new__(ringing(object)) if kind is object else kind.__new__(ringing(kind))
    yield collections.deque.__new__(ringing(collections.deque))
    yield decimal.Decimal.__new__(ringing(decimal.Decimal), 1)
    yield object.__new__(ringing(uuid.UUID))
    yield object.__new__(ringing(pathlib.PurePosixPath))
    yield ValueError.__new__(ringing(ValueError), Alarmed())
    yield ringing(object)
    yield LazyMapping.__new__(LazyMapping)
    yield types.MappingProxyType(LazyMapping.__new__(LazyMapping))
    lazy: Any = LazyMapping.__new__(LazyMapping)
    yield collections.ChainMap(lazy)
    yield object.__new__(ringing(object, __module__="pathlib"))
    text: Any = ringing(str)
    yield object.__new__(ringing(object, __module__=text.__new__(text)))
    yield quiet()
    yield object.__new__(quiet())
    yield datetime(2026, 11, 23, tzinfo=RingingZone())
    key: Any = object.__new__(ringing(object, __hash__=object.__hash__, __eq__=object.__eq__))
    yield {key: 1, (key,): 2}
    yield ValueError(object.__new__(ringing(object)))
    yield WithField(object.__new__(ringing(object)))
    yield [object.__new__(ringing(object))]
    make_class: Any = type
    yield make_class(RingingText("Odd"), (), {})
    function = types.FunctionType(recurse.__code__, {})
    function.__module__ = RingingText("odd")
    yield function
    yield list.__new__(quiet(list)).append


@pytest.mark.parametrize("number", range(len(list(ringing_values()))))
def test_not_a_line_of_a_value_s_code_runs(number: int) -> None:
    value = list(ringing_values())[number]
    Alarmed.rung.clear()
    told = shown(value)
    assert Alarmed.rung == []
    json.dumps(told)


@given(st.randoms(use_true_random=False))
def test_whatever_a_call_holds_its_event_is_whole_and_bounded(random: Random) -> None:
    host = HostileHost(random)

    def hold(one: object, other: object) -> None:
        third = [host.value(), one]
        raise ValueError("held", third, other)

    event = sent(raised(hold, host.value(), host.value()))
    assert list(event.exceptions[0].frames[-1].vars)[:3] == ["one", "other", "third"]
    assert len(msgspec.json.encode(event)) < EVENT_BYTES


def test_what_is_not_chosen_is_not_read() -> None:
    errors = ErrorManager(service="shop", transport=FakeTransport)
    with capture_events(errors) as captured:
        errors.handle_error_nowait(raised(recurse, 3))
    assert all(frame.vars == {} for frame in captured.event.exceptions[0].frames)


@pytest.mark.parametrize("kind", [ErrorManager, SyncErrorManager])
def test_both_managers_take_the_choice_and_refuse_what_is_none(kind: Any) -> None:
    for choice in ("all", True, None, "", 17):
        with pytest.raises(ValueError, match="include_locals must be"):
            kind(service="shop", include_locals=choice)
    errors = kind.from_env(
        {"FAULTWIRE_SERVICE": "shop", "FAULTWIRE_INCLUDE_LOCALS": "own"}, transport=FakeTransport
    )
    with capture_events(errors) as captured:
        errors.handle_error_nowait(raised(recurse, 0))
    assert captured.event.exceptions[0].frames[-1].vars == {"depth": 0}


def test_arguments_come_first_and_what_is_not_set_not_at_all() -> None:
    def pay(order: int, *items: str, **options: bool) -> None:
        price = 2.5
        if order < 0:
            unset = 1
        failing = [price for _ in items]
        raise ValueError(failing, lambda: (unset, order))

    found = variables(raised(lambda: pay(17, "a", "b", gift=True)))
    assert found == {
        "order": 17,
        "items": ["a", "b"],
        "options": {"gift": True},
        "price": 2.5,
        "failing": [2.5, 2.5],
    }
    assert list(found)[:3] == ["order", "items", "options"]


def test_a_closure_s_variables_are_the_call_s_too() -> None:
    outer = 3

    def inner() -> None:
        raise ValueError(outer)

    assert variables(raised(inner)) == {"outer": 3}


def test_calls_of_libraries_show_none() -> None:
    frames = read(raised(lambda: uuid.UUID(CANARY)))[0][0].frames
    assert [frame.in_app for frame in frames[-2:]] == [True, False]
    assert frames[-1].vars == {}


def test_a_module_shows_none_and_a_class_body_its_own(tmp_path: pathlib.Path) -> None:
    source = "secret = 1\nclass Model:\n    field = 2\n    1 / 0\n"
    path = tmp_path / "model.py"
    path.write_text(source)
    error = raised(lambda: exec(compile(source, str(path), "exec"), {"__name__": "shop.model"}))  # noqa: S102 - the test's own
    module, body = read(error)[0][0].frames[-2:]
    assert (module.vars, body.vars) == ({}, {"field": 2})


def test_a_namespace_of_a_metaclass_s_making_is_left_alone() -> None:
    class Namespace(dict[str, object]):
        __iter__ = keys = items = ring("namespace")

    Alarmed.rung.clear()
    error = raised(lambda: exec(compile("x = 1\n1 / 0", __file__, "exec"), {"__name__": "shop"}, Namespace()))  # noqa: S102 - the test's own
    assert read(error)[0][0].frames[-1].vars == {}
    assert Alarmed.rung == []


def test_a_generator_s_variables_are_those_it_held_when_it_raised() -> None:
    def numbers() -> Generator[int]:
        for number in range(3):
            yield 1 // (1 - number)

    assert variables(raised(lambda: list(numbers()))) == {"number": 1}


async def test_a_coroutine_s_are_too() -> None:
    async def pay(order: int) -> None:
        raise ValueError(order)

    with pytest.raises(ValueError, match="17") as caught:
        await pay(17)
    assert variables(caught.value) == {"order": 17}


def test_a_chain_and_a_groups_members_each_show_theirs() -> None:
    def fail(name: str) -> None:
        raise ValueError(name)

    group = BaseExceptionGroup("both", [raised(fail, "one"), raised(fail, "other")])
    error = raised(fail, "first")
    error.__cause__ = group
    first, second = read(error)[0]
    assert first.frames[-1].vars == {"name": "first"}
    assert [member[0].frames[-1].vars for member in second.members] == [{"name": "one"}, {"name": "other"}]


def test_a_recursion_shows_the_calls_at_its_bottom_each_with_its_own() -> None:
    (one,), cut = read(raised(recurse, 400))
    shown_depths = [frame.vars.get("depth") for frame in one.frames]
    assert shown_depths == [None] * (len(one.frames) - CALLS) + list(range(CALLS - 1, -1, -1))
    assert CUT in cut


@pytest.mark.parametrize("depth", [10, 60, 90, 300])
def test_no_call_shows_another_s_variables_however_many_calls_of_a_library_lie_below(
    tmp_path: pathlib.Path, depth: int
) -> None:
    path, scope = tmp_path / "walk.py", dict[str, Any]({"__name__": "vendored.walk"})
    path.write_text("def walk(depth, visit):\n    return walk(depth - 1, visit) if depth else visit()\n")
    exec(compile(path.read_text(), str(path), "exec"), scope)  # noqa: S102 - the test's own

    def visit() -> None:
        inner = 1
        raise ValueError(inner)

    def first(number: int) -> None:
        if number:
            first(number - 1)
        scope["walk"](depth, visit)

    (one,), _ = read(raised(first, 40), in_app_exclude=["vendored"])
    assert one.frames[-1].vars == {"inner": 1}
    for frame in one.frames[:-1]:
        if frame.vars:
            assert (frame.qualname.rpartition(".")[2], "number" in frame.vars) == ("first", True)
    own = [frame for frame in one.frames if frame.vars]
    assert len(own) == (1 if depth > 72 else CALLS)


def test_an_event_of_many_errors_shows_the_nearest_calls_of_each() -> None:
    group = BaseExceptionGroup("many", [raised(recurse, 30) for _ in range(10)])
    (one,), cut = read(group)
    held = [[frame for frame in member[0].frames if frame.vars] for member in one.members]
    assert [len(each) for each in held] == [2] * 6 + [1] * 4
    assert sum(map(len, held)) == CALLS_OF_EVENT
    assert CUT in cut


def test_frames_that_events_share_never_hold_the_variables_of_one() -> None:
    frames = FrameReader(with_variables=True)
    deep = raised(recurse, 60)
    one = Chain(Snapshot(), frames).read(deep)[0].frames
    other = Chain(Snapshot(), frames).read(deep)[0].frames
    assert one == other
    assert [first is second for first, second in zip(one, other, strict=True)] == [
        not frame.vars for frame in one
    ]


def test_everything_is_bounded_and_says_so() -> None:
    many = {f"v{number}": number for number in range(VARIABLES + 5)}
    scope: dict[str, Any] = {}
    body = "".join(f"    {name} = {value}\n" for name, value in many.items())
    exec(compile(f"def f():\n{body}    1 / 0\n", __file__, "exec"), {"__name__": "shop"}, scope)  # noqa: S102 - the test's own
    (one,), cut = read(raised(scope["f"]))
    assert len(one.frames[-1].vars) == VARIABLES
    assert CUT in cut
    assert shown("x" * 10**6) == "x" * (BOUNDS.text - 1) + "…"
    assert shown("a b " * 10**6).endswith("a b a…")
    assert shown(list(range(10**5))) == list(range(BOUNDS.items))
    assert len(shown({str(number): 1 for number in range(10**5)})) == BOUNDS.items
    assert shown([[[[1]]]]) == [[["<list>"]]]
    assert shown(10**5000) == f"<int of {(10**5000).bit_length()} bits>"
    wide = [["x" * 200] * 10] * 10
    assert len(json.dumps(shown(wide))) < 2 * BOUNDS.characters
    assert (
        len(json.dumps(shown([{"k" * 90 + str(number): 1 for number in range(10)} for _ in range(10)])))
        < 9_000
    )


def test_a_class_of_many_fields_shows_the_first_and_says_that_there_are_more() -> None:
    names = [f"field_{number}" for number in range(BOUNDS.items + 1)]
    wide = dataclasses.make_dataclass("Wide", names)(*names)
    pair = collections.namedtuple("Pair", names)(*names)

    def hold(held: object) -> None:
        raise ValueError

    for value in (wide, pair):
        (one,), cut = read(raised(hold, value))
        assert list(one.frames[-1].vars["held"]) == names[: BOUNDS.items]
        assert CUT in cut


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("4111 1111 1111 1111", "4111 1"),
        (f"amqp://shop:{CANARY}@host/", CANARY[:4]),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_16"),
    ],
)
def test_a_text_is_never_cut_within_a_secret(text: str, secret: str) -> None:
    def hold(held: str) -> None:
        raise ValueError

    for before in range(BOUNDS.text - len(text) - 2, BOUNDS.text + 2):
        given = "b " * (before // 2) + " " * (before % 2) + text + " and more" * 50
        told = sent(raised(hold, given)).exceptions[0].frames[-1].vars["held"]
        assert secret not in told


def test_an_event_without_room_loses_the_variables_first() -> None:
    frame = Frame(qualname="f", vars={"blob": "\x00" * 600})
    many = [ExceptionInfo(type="E", frames=[frame] * 80)]
    errors = ErrorManager(
        service="shop",
        transport=FakeTransport,
        before_send=lambda event: msgspec.structs.replace(event, exceptions=many),
    )
    with capture_events(errors) as captured:
        errors.handle_error_nowait(ValueError("x"), context={"order": 17})
    assert captured.event.context == {"order": 17}
    assert captured.event.truncated == [CUT]
    assert all(each.vars == {} for each in captured.event.exceptions[0].frames)


def test_a_processor_that_puts_anything_into_variables_costs_them_alone() -> None:
    def spoil(event: Event) -> Event:
        one = event.exceptions[0]
        frames = [msgspec.structs.replace(frame, vars={"order": Order()}) for frame in one.frames]
        return msgspec.structs.replace(event, exceptions=[msgspec.structs.replace(one, frames=frames)])

    event = sent(raised(recurse, 0), processors=[spoil], scrub=False)
    assert (event.message, event.exceptions[0].frames[-1].vars) == ("bottom", {})


class Colour(enum.Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


@attrs.define
class Slotted:
    sku: str
    token: str


class Wire(msgspec.Struct):
    sku: str


class Bare:
    __slots__ = ("sku",)

    def __init__(self) -> None:
        self.sku = "a"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (float("nan"), "nan"),
        (Order(), "<Order>"),
        (Bare(), "<Bare>"),
        (Order, "<class 'tests.contract.producer.test_variable.Order'>"),
        (Colour.RED, "red"),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Slotted("a", "b"), {"sku": "a", "token": "b"}),
        (Wire("a"), {"sku": "a"}),
        (b"ab\xff", "b'ab\\xff'"),
        (memoryview(b"ab"), "b'ab'"),
        (1 + 2j, "(1+2j)"),
        ({1: "a", (1, "b"): 2, None: 3, Colour.RED: 4}, {"1": "a", "[1, 'b']": 2, "None": 3, "red": 4}),
        (ValueError("bad"), "ValueError: bad"),
        (ValueError("bad", 17), "<ValueError>"),
        (KeyError(17), "<KeyError>"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.50"), "1.50"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23 00:00:00+00:00"),
        (datetime(2026, 11, 23, tzinfo=timezone(timedelta(hours=1))), "2026-11-23 00:00:00+01:00"),
        (datetime(2026, 11, 23, tzinfo=RingingZone()), "2026-11-23 00:00:00"),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.UserDict(a=1), "<UserDict>"),
        (types.MappingProxyType({"a": 1}), "<mappingproxy>"),
        (weakref.proxy(Order), "<CallableProxyType>"),
        (len, "<function builtins.len>"),
        (iter([1]), "<list_iterator>"),
    ],
)
def test_a_value_is_told_as_plain_json(value: object, told: object) -> None:
    assert shown(value) == told


def test_names_that_python_makes_are_left_out() -> None:
    class Model:
        def pay(self) -> None:
            __hidden__ = 1
            raise ValueError(__class__, __hidden__)  # type: ignore[name-defined]

    assert variables(raised(Model().pay)) == {"self": "<Model>"}


def test_secrets_go_by_name_and_by_looks_at_any_depth() -> None:
    def sign_in(password: str, options: dict[str, object], url: str, header: str, argv: list[str]) -> None:
        raise PermissionError

    error = raised(
        sign_in,
        CANARY,
        {"user": {"api_key": CANARY, "id": 17}, "card": "4111 1111 1111 1111"},
        f"amqp://shop:{CANARY}@host/",
        f"Bearer {CANARY}{CANARY}",
        ["login", "--password", CANARY],
    )
    frame = sent(error).exceptions[0].frames[-1]
    assert CANARY not in str(frame.vars)
    assert frame.vars["options"] == {"user": {"api_key": "[scrubbed]", "id": 17}, "card": "[scrubbed]"}
    assert (frame.vars["password"], frame.vars["url"]) == ("[scrubbed]", "amqp://shop:[scrubbed]@host/")
    allowed = sent(error, scrub_deny=["options"], scrub_allow=["password"]).exceptions[0].frames[-1]
    assert (allowed.vars["options"], allowed.vars["password"]) == ("[scrubbed]", CANARY)


def test_nothing_of_an_event_s_variables_is_held_once_it_is_on_its_way(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Held:
        pass

    def use(value: object) -> None:
        raise ValueError

    def fail() -> "weakref.ref[Held]":
        held = Held()
        errors.handle_error_nowait(raised(use, held))
        return weakref.ref(held)

    caplog.set_level(logging.CRITICAL)  # as records that are kept would hold the tracebacks
    errors = ErrorManager(service="shop", transport=FakeTransport, include_locals="own")
    with capture_events(errors) as captured:
        watched = fail()
    assert captured.event.exceptions[0].frames[-1].vars == {"value": "<Held>"}
    gc.collect()
    assert watched() is None


def test_events_of_one_place_teach_the_scrubber_once() -> None:
    errors = ErrorManager(
        service="shop", transport=FakeTransport, include_locals="own", collapse_storms=False
    )
    with capture_events(errors) as captured:
        for number in range(50):
            errors.handle_error_nowait(raised(recurse, number % 2), context={"number": number})
    scrubber = errors._assembled[0].plan.scrubber
    assert scrubber is not None
    plain = scrubber._plain
    assert len(captured.events) == 50
    assert max(len(plain._frames), len(plain._stacks), len(plain._calls)) < 10
