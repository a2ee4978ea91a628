"""Events of a service in Python: its exceptions are raised and captured by the client."""

import errno
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Final

from tests.tools.corpus import Sample
from tests.tools.corpus.service import RELEASES, generated, release

from faultwire.capture.event import Origin, event_from
from faultwire.capture.frame import FrameReader
from faultwire.capture.handled import judge
from faultwire_shared import codec
from faultwire_shared.event_id import new_event_id

NOW: Final = datetime(2026, 11, 23, 10, tzinfo=UTC)
SIGHTINGS: Final = (3, 5, 7)

Bug = tuple[str, Callable[[int], tuple[object, ...]]]

_PLAIN: Final = (
    *("read_json", "read_basket", "read_xml", "read_toml", "read_uuid", "read_day", "read_decimal", "unpack"),
    *("decode", "look_up", "first_of", "name_of", "mean_of", "add_up", "all_of", "by_lambda", "closure"),
    *(
        "open_file",
        "charge",
        "refund",
        "visit_all",
        "gateway",
        "endless",
        "ping",
        "select",
        "partition",
        "slow",
    ),
    *("import_orders", "import_stock", "handle", "handle_task", "handle_group", "basket", "save"),
)
BUGS: Final[list[Bug]] = [
    *((name, lambda n, name=name: (name, n)) for name in _PLAIN),
    ("card too old", lambda n: ("check_card", -n)),
    ("card stolen", lambda n: ("check_card", n)),
    *((f"total {which}", lambda n, which=which: ("total_of", n, which)) for which in ("net", "tax")),
    *((f"ask {status}", lambda n, status=status: ("ask", n, status)) for status in (401, 503)),
    *((f"fetch {status}", lambda n, status=status: ("fetch", n, status)) for status in (404, 502)),
    *((f"call {status}", lambda n, status=status: ("call_api", n, status)) for status in (403, 500)),
    *(
        (f"write {code}", lambda n, code=code: ("write_file", n, code, os.strerror(code)))
        for code in (errno.ENOSPC, errno.ENAMETOOLONG)
    ),
    *((f"refused {why}", lambda n, why=why: ("validate", n, why)) for why in ("negative", "empty")),
    ("reconnect", lambda n: ("consume", n, n * n % 11)),
    ("retry", lambda n: ("retry", n, n)),
    ("walk", lambda n: ("walk", n, n)),
    *((f"unique {column}", lambda n, column=column: ("insert", n, column)) for column in ("email", "name")),
]


def python_samples() -> Iterator[Sample]:
    """Raise and capture every bug in every release."""
    frames = FrameReader()
    for number in range(RELEASES):
        module = release(number)
        for bug, arguments in BUGS:
            for sighting in SIGHTINGS:
                yield _captured(bug, frames, number, _raised(module, arguments(sighting + number)))
        for sighting in SIGHTINGS:
            rule = generated(sighting * 1009 + number, number)
            yield _captured("generated", frames, number, _caught(lambda: rule(17)))  # noqa: B023 - called at once


def _raised(module: ModuleType, arguments: tuple[object, ...]) -> BaseException:
    return _caught(lambda: module.run(*arguments))


def _caught(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - what it raises is the sample
        return error
    raise AssertionError


def _captured(bug: str, frames: FrameReader, number: int, error: BaseException) -> Sample:
    at = NOW + timedelta(days=number)
    origin = Origin(service="shop", environment="production", release=f"1.{number}", host=f"web-{number}")
    event = event_from(judge(error, at=at), event_id=new_event_id(at), origin=origin, frames=frames)
    return Sample(f"python {bug}", codec.encode(event))
