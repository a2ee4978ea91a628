"""Source around a line that ran: two lines before and behind it, bounded, scrubbed, and never grouped by."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.tools.secret import CANARY

from faultwire.capture.chain import Chain
from faultwire.capture.event import Origin, event_from
from faultwire.capture.frame import FrameReader
from faultwire.capture.handled import Extras, judge
from faultwire.capture.source import STACKED, read_source
from faultwire.pipeline.encoding import encode_bounded
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_shared import codec
from faultwire_shared.event import EVENT_BYTES, Event, ExceptionInfo, Frame
from faultwire_shared.scrub import Scrubber
from faultwire_shared.snapshot import Snapshot

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ORIGIN = Origin(service="shop", environment="test", release=None, host="web-1")


def crash_of(path: Path, source: str, *, name: str = "shop.pay") -> BaseException:
    """What a module raises when it runs."""
    path.write_text(source)
    try:
        exec(compile(source, str(path), "exec"), {"__name__": name})  # noqa: S102 - the test's own source
    except Exception as error:  # noqa: BLE001 - whatever it raises is the subject
        return error
    raise AssertionError


def chain_of(error: BaseException, frames: FrameReader | None = None) -> list[ExceptionInfo]:
    return Chain(Snapshot(), frames or FrameReader()).read(error)


def last_frame(error: BaseException) -> Frame:
    return chain_of(error)[0].frames[-1]


def event_of(error: BaseException, **extras: Any) -> Event:
    handled = judge(error, at=NOW, extras=Extras(**extras))
    return event_from(
        handled, event_id="error_20261123_aaaaaaaaaaaaaaaa", origin=ORIGIN, frames=FrameReader()
    )


def raised(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - whatever the test raises is its subject
        return error
    raise AssertionError


def with_lean_source(one: ExceptionInfo) -> ExceptionInfo:
    lean = [msgspec.structs.replace(each, context=[each.ran] if each.context else []) for each in one.frames]
    members = [[with_lean_source(each) for each in chain] for chain in one.members]
    return msgspec.structs.replace(one, frames=lean, members=members)


def key_of(event: Event) -> bytes:
    return Grouper().group(decode_narrow(encode_bounded(event)[0])).fingerprint.key


def recurse(depth: int) -> None:
    if depth:
        recurse(depth - 1)
    raise ValueError("bottom")


def test_two_lines_stand_on_either_side_of_the_one_that_ran_indented_as_to_one_another(
    tmp_path: Path,
) -> None:
    source = "if 1:\n\tdef pay():\n\t\tif 1:\n\t\t\tprice = {}['a']\n\t\treturn price\n\n\tpay()\n"
    frame = last_frame(crash_of(tmp_path / "pay.py", source))
    ran = " " * 16 + "price = {}['a']"
    assert frame.context == ["def pay():", "        if 1:", ran, "        return price", ""]
    assert (frame.line, frame.ran) == (4, ran)


def test_lines_before_the_first_and_behind_the_last_are_empty_so_that_the_middle_one_ran(
    tmp_path: Path,
) -> None:
    assert last_frame(crash_of(tmp_path / "one.py", "1 / 0")).context == ["", "", "1 / 0", "", ""]
    assert last_frame(crash_of(tmp_path / "two.py", "x = 0\n1 / x\n")).context == [
        "",
        "x = 0",
        "1 / x",
        "",
        "",
    ]


def test_a_frame_of_a_library_has_the_line_alone_that_ran(tmp_path: Path) -> None:
    error = crash_of(tmp_path / "lib.py", "a = 1\nb = 0\na / b\nc = 3\n", name="vendored.lib")
    frames = FrameReader(in_app_exclude=["vendored"])
    frame = chain_of(error, frames)[0].frames[-1]
    assert (frame.in_app, frame.context) == (False, ["a / b"])


def test_long_lines_and_deep_indentations_are_cut(tmp_path: Path) -> None:
    long = f"name = '{'x' * 10_000}'"
    source = f"{long}\nif True:\n{' ' * 90}1 / 0\n{long}\n"
    first, _, ran, behind, _ = last_frame(crash_of(tmp_path / "long.py", source)).context
    assert (len(first), len(behind)) == (200, 200)
    assert ran == " " * 40 + "1 / 0"


def test_source_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    class Loader:
        def get_source(self, _: str) -> str:
            raise SystemExit("a loader of the host's")

    assert read_source("<made>", 1, {"__loader__": Loader(), "__name__": "made"}, around=2) == []
    changed = tmp_path / "shorter.py"
    changed.write_text("one line\n\n")
    assert read_source(str(changed), 7, {}, around=2) == []
    assert read_source(str(changed), 2, {}, around=2) == [], "the file has changed: a blank line never ran"
    assert read_source(str(changed), 0, {}, around=2) == []


def test_a_file_is_read_at_its_first_sight_alone(tmp_path: Path) -> None:
    path, frames = tmp_path / "gone.py", FrameReader()
    error = crash_of(path, "x = 0\n1 / x\n")
    first = chain_of(error, frames)[0].frames
    path.write_text("other\n" * 9)
    assert chain_of(error, frames)[0].frames[-1] is first[-1]


def test_calls_far_from_the_crash_keep_the_line_that_ran_alone() -> None:
    frames, reader = chain_of(raised(lambda: recurse(60)))[0].frames, FrameReader()
    assert [len(frame.context) for frame in frames] == [1] * (len(frames) - STACKED) + [5] * STACKED
    assert {frame.ran.strip() for frame in frames[2:-1]} == {"recurse(depth - 1)"}
    error = raised(lambda: recurse(60))
    one, other = chain_of(error, reader)[0].frames, chain_of(error, reader)[0].frames
    assert all(first is second for first, second in zip(one, other, strict=True)), "scrubbed once"


def test_the_crashes_of_a_chain_and_of_a_groups_members_share_what_is_kept() -> None:
    inner = raised(lambda: recurse(20))
    error = raised(lambda: recurse(20))
    error.__cause__ = BaseExceptionGroup("both", [inner, raised(lambda: recurse(20))])
    first, group = chain_of(error)
    stacks = [first.frames, *(member[0].frames for member in group.members)]
    kept = [sum(len(frame.context) > 1 for frame in stack) for stack in stacks]
    assert sum(kept) == STACKED
    assert max(kept) - min(kept) <= 1
    assert all(len(stack[-1].context) == 5 for stack in stacks)


@pytest.mark.parametrize("depth", [0, 3, 40, 400])
def test_the_lines_around_change_no_fingerprint(depth: int) -> None:
    event = event_of(raised(lambda: recurse(depth)))
    lean = [with_lean_source(each) for each in event.exceptions]
    assert lean != event.exceptions
    assert key_of(msgspec.structs.replace(event, exceptions=lean)) == key_of(event)


@pytest.mark.parametrize("above", ["if not password:", "class AuthToken:", "token ="])
def test_a_line_that_names_a_secret_changes_not_how_the_next_one_is_grouped(
    tmp_path: Path, above: str
) -> None:
    source = f"class Quiet: pass\n{above if above.endswith(':') else 'if True:'}\n    raise Quiet\n"
    event = event_of(crash_of(tmp_path / "auth.py", f"password = ''\n{source}"))
    lean = msgspec.structs.replace(event, exceptions=[with_lean_source(each) for each in event.exceptions])
    scrubber = Scrubber()
    assert key_of(scrubber.scrub(event)) == key_of(scrubber.scrub(lean))
    assert scrubber.scrub(event).exceptions[0].frames[-1].ran.strip() == "raise Quiet"


@pytest.mark.parametrize(
    "source",
    [
        f"password = '{CANARY}'\n1 / 0\n",
        f"1 / 0\nlogin(user, password='{CANARY}')\n",
        f"1 / 0\nAPI_KEY = (\n    '{CANARY}'\n)\n",
        f'KEYS = 1 / 0, {{\n    "api_key":\n        "{CANARY}",\n}}\n',
        f"1 / 0\ntoken: str = \\\n    b'{CANARY}'\n",
        f'1 / 0\nK = """-----BEGIN PRIVATE KEY-----\n{CANARY}"""\n',
    ],
)
def test_literals_on_the_lines_around_are_scrubbed(tmp_path: Path, source: str) -> None:
    event = event_of(crash_of(tmp_path / "config.py", source))
    assert CANARY in str(event.exceptions[0].frames[-1].context)
    assert CANARY.encode() not in codec.encode(Scrubber().scrub(event))


@pytest.mark.parametrize(
    "source",
    [
        f"API_KEY = (\n    'a'\n    '{CANARY}'\n)\n1 / 0\n",
        f"API_KEY = (\n    'a'\n    '{CANARY}'\n    '{CANARY}'); 1 / 0\n",
        f'KEYS = {{\n    "api_key":\n        "{CANARY}",\n}}\n1 / 0\n',
        f'K = """-----BEGIN PRIVATE KEY-----\n{CANARY}\n{CANARY}\n-----END PRIVATE KEY-----"""; 1 / 0\n',
        f'K = """-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"""\n1 / 0\n',
    ],
)
def test_a_literal_whose_beginning_lies_above_what_is_shown_is_left_out(tmp_path: Path, source: str) -> None:
    context = last_frame(crash_of(tmp_path / "config.py", source)).context
    assert CANARY not in "".join(context[:2])
    assert context[2].endswith("1 / 0")


def test_lines_above_that_are_no_literals_are_kept(tmp_path: Path) -> None:
    source = "x = [\n    'a',\n    1,\n    'b',\n    1 / 0,\n]\n"
    assert last_frame(crash_of(tmp_path / "items.py", source)).context[:2] == ["    1,", "    'b',"]


def test_an_event_that_is_too_large_loses_the_lines_around_before_its_context() -> None:
    crumbs = [{"message": "x" * 1_000} for _ in range(50)]
    frame = Frame(qualname="f", context=["a" * 1_500, "", "ran()", "", "b" * 1_500])
    full = msgspec.structs.replace(
        event_of(ValueError("x"), context={f"k{n}": "\x00" * 900 for n in range(16)}),
        breadcrumbs=crumbs,
        exceptions=[ExceptionInfo(type="E", frames=[frame] * 90)],
    )
    body, event = encode_bounded(full)
    assert len(body) <= EVENT_BYTES
    assert [each.context for each in event.exceptions[0].frames] == [["ran()"]] * 90
    assert event.context
    assert event.truncated == [*full.truncated, "breadcrumbs", "exceptions.frames.context"]
