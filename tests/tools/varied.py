"""Events as unlike each other as a dozen services make them: 1 to 30 KB of JSON, each told by its number.

Services have bugs, releases and machines of their own; a bug has its stack. Contexts, requests, users and
breadcrumbs are drawn for each event, so that no two say the same.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final

SERVICES: Final = (
    *("billing", "catalogue", "checkout", "identity", "inventory", "mailer"),
    *("pricing", "ratings", "search", "shipping", "tickets", "warehouse"),
)
BUGS: Final = 40
"""Of each service."""
_WORDS: Final = """
account address amount basket batch branch buffer cache carrier charge client column commit consumer
country coupon cursor customer delivery device discount document driver email entry export field file
gateway group handler header image import index invoice item journal key label ledger limit line list
lock login member message meter method model network note number offer order package page parcel
partner password path payment period picture plan pool price process product profile quantity queue quota
range rate reader receipt record region reply report request result return review role route row rule sample
schema scope segment sender service session shard ship shop signal stock storage stream supplier table
target tax team tenant text thread ticket token total track transfer unit upload user value vendor
version view volume voucher warehouse window worker zone
""".split()  # noqa: SIM905 - words, to be read as such
_TYPES: Final = """
KeyError ValueError TypeError TimeoutError ConnectionResetError IntegrityError OperationalError
LookupError PermissionError UnicodeDecodeError AssertionError RuntimeError ValidationError HTTPError
""".split()  # noqa: SIM905 - words, to be read as such
_AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{n}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{n} like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "okhttp/4.{n}.0",
    "python-requests/2.{n}.1",
)


def varied_bodies(count: int, *, now: datetime | None = None, start: int = 0) -> Iterator[bytes]:
    """Events of all services, as a foreign publisher sends them, scrubbed as our client's are.

    Args:
        count: how many.
        now: when all of them occurred; the id's day.
        start: the number of the first; an event's number decides all of it.
    """
    moment = now or datetime.now(UTC)
    for number in range(start, start + count):
        yield json.dumps(varied_event(number, moment), separators=(",", ":")).encode()


def varied_event(number: int, moment: datetime) -> dict[str, Any]:
    """The event of a number."""
    draw = Random(number)
    service = draw.choice(SERVICES)
    kind, frames, places = _bug(service, draw.randrange(BUGS))
    size = draw.random()
    return {
        "id": f"error_{moment:%Y%m%d}_{number * 0x9E3779B97F4B % 2**48:012x}{draw.getrandbits(16):04x}",
        "schema_version": 1,
        "occurred_at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "severity": draw.choices(("low", "medium", "high"), (2, 6, 2))[0],
        "category": draw.choice(("system", "external", "business")),
        "service": service,
        "environment": draw.choices(("production", "staging"), (9, 1))[0],
        "release": f"{draw.randrange(2, 5)}.{draw.randrange(10)}.{draw.randrange(20)}+{service[:3]}",
        "host": f"{service}-{draw.randrange(8)}.eu-{draw.randrange(3)}.example.net",
        "message": f"cannot {draw.choice(_WORDS)} {draw.choice(_WORDS)} {draw.randrange(10**6)} of {places}",
        "exceptions": [
            {
                "type": kind,
                "module": "builtins",
                "value": f"{draw.choice(_WORDS)} {draw.getrandbits(40):x} is {draw.choice(_WORDS)}",
                "frames": frames,
            }
        ],
        "context": {_name(draw): _value(draw, depth=2) for _ in range(draw.randrange(2, 12))},
        "tags": {"region": f"eu-{draw.randrange(3)}", "tenant": f"t-{draw.randrange(5000)}"},
        "user": {"id": str(draw.randrange(10**7)), "plan": draw.choice(("free", "team", "enterprise"))},
        "request": _request(draw, service),
        "transaction": f"/{service}/{{{draw.choice(_WORDS)}}}/{places}",
        "breadcrumbs": [_breadcrumb(draw, moment, back) for back in range(int(90 * size**3))],
        "trace_id": f"{draw.getrandbits(128):032x}",
        "span_id": f"{draw.getrandbits(64):016x}",
        "scrubbed": True,
        "sdk": {"name": "faultwire", "version": "0.1.0"},
    }


@cache
def _bug(service: str, bug: int) -> tuple[str, Sequence[dict[str, Any]], str]:
    draw = Random(f"{service} {bug}")
    depth, own = draw.randrange(2, 22), draw.randrange(1, 8)
    frames = [_frame(draw, service, is_own=place >= depth - own) for place in range(depth)]
    return draw.choice(_TYPES), frames, f"{draw.choice(_WORDS)}_{_spelled(bug)}"


def _frame(draw: Random, service: str, *, is_own: bool) -> dict[str, Any]:
    module = (
        f"{service}.{draw.choice(_WORDS)}" if is_own else f"{draw.choice(_WORDS)}lib.{draw.choice(_WORDS)}"
    )
    root = f"/srv/{service}" if is_own else "/usr/lib/python3.13/site-packages"
    lines = [_source_line(draw) for _ in range(draw.choice((1, 1, 5)))]
    return {
        "file": f"{root}/{module.replace('.', '/')}.py",
        "module": module,
        "qualname": f"{draw.choice(_WORDS).title()}.{draw.choice(_WORDS)}_{draw.choice(_WORDS)}",
        "line": draw.randrange(10, 900),
        "in_app": is_own,
        "context": lines,
    }


def _source_line(draw: Random) -> str:
    first, second, third = draw.choices(_WORDS, k=3)
    return f"{' ' * draw.choice((4, 8, 12))}{first} = self._{second}.{third}({first}, {second}=None)"


def _request(draw: Random, service: str) -> dict[str, Any]:
    return {
        "method": draw.choice(("GET", "POST", "PUT", "DELETE")),
        "url": f"https://{service}.example.net/v{draw.randrange(1, 4)}/{_name(draw)}/{draw.getrandbits(32)}",
        "query": "&".join(f"{_name(draw)}={draw.getrandbits(20)}" for _ in range(draw.randrange(5))),
        "headers": {
            "user-agent": draw.choice(_AGENTS).format(n=draw.randrange(20, 140)),
            "accept": "application/json, text/plain, */*",
            "x-request-id": f"{draw.getrandbits(128):032x}",
            "content-length": str(draw.randrange(10**5)),
        },
    }


def _breadcrumb(draw: Random, moment: datetime, back: int) -> dict[str, Any]:
    at = moment - timedelta(seconds=back + draw.random())
    return {
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "category": draw.choice(("http", "query", "log", "navigation", "cache")),
        "message": f"{draw.choice(_WORDS)} {draw.choice(_WORDS)} took {draw.randrange(3000)} ms",
        "data": {_name(draw): _value(draw, depth=0) for _ in range(draw.randrange(1, 5))},
    }


def _value(draw: Random, *, depth: int) -> Any:
    kind = draw.randrange(6 if depth else 4)
    if kind == 0:
        return draw.randrange(10**9)
    if kind == 1:
        return f"{draw.getrandbits(64):016x}"
    if kind < 4:
        return " ".join(draw.choices(_WORDS, k=draw.randrange(1, 9)))
    if kind == 4:
        return [_value(draw, depth=depth - 1) for _ in range(draw.randrange(6))]
    return {_name(draw): _value(draw, depth=depth - 1) for _ in range(draw.randrange(1, 6))}


def _name(draw: Random) -> str:
    return f"{draw.choice(_WORDS)}_{draw.choice(_WORDS)}"


def _spelled(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "abcdefghij"))
