"""Whatever may stand on the wire, drawn at random: events, reports, AMQP properties, and mere bytes."""

import json
import random
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from tests.tools.factories import raised, wire_event
from tests.tools.raw_frames import header, long, nested, short, table

from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, PRODUCER_TYPE


class Token(str):
    """A piece of JSON that is written as it stands."""

    __slots__ = ()


TIMES: Final = [
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-14:00"),
    *("1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1900-01-01T00:00:00Z", "2038-01-19T03:14:08Z"),
    *(
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-23:59",
        "2026-02-29T00:00:00Z",
        "2026-11-23T24:00:00Z",
    ),
    *(
        "2026-11-23T11:59:60Z",
        "2026-11-23T11:59:59,5Z",
        "2026-11-23 11:59:59+00:00",
        "2026-11-23T11:00:00",
        "",
    ),
]
NUMBERS: Final = [
    *("0", "-0", "-0.0", "1", "-1", "1.5", "1e-400", "1e308", "1e400", "-1e400", "0.1e-7"),
    *(
        str(sign * 2**power + more)
        for sign in (1, -1)
        for power in (31, 32, 53, 63, 64, 70)
        for more in (-1, 0, 1)
    ),
    *("9" * 400, "9" * 4_301, "1000000000", "1000000001", "4111111111111111"),
]
TEXTS: Final = [
    *(
        "",
        " ",
        "\x00",
        "\x00" * 40,
        "a\x00b",
        "\ud83d",
        "\udc00\ud83d",
        "\N{FACE WITH TEARS OF JOY}" * 300,
        "\n\r\t",
    ),
    *("\u202e\u2066", "e\u0301", "\N{ZERO WIDTH JOINER}" * 50, "%s %d {0} {{default}}", "<script>x</script>"),
    *(
        "{{default}}",
        "password=hunter2",
        "0x7f3a",
        "\x1b[31m\x07",
        "\\",
        '"',
        "\\ud83d",
        "[" * 300,
        "s" * 201,
    ),
    *(
        "t" * 3_000,
        "INC-1",
        "error_20261123_aaaaaa",
        "faultwire",
        "null",
        "\ufeffx",
        "\uffff\ufffe",
        "\U0010ffff",
    ),
]
SEVERITIES: Final = [
    "low",
    "medium",
    "high",
    "critical",
    "FATAL",
    "trace",
    "",
    10,
    24,
    50,
    2**70,
    -1,
    None,
    1.5,
]
TYPES: Final = [EVENT_TYPE, BATCH_TYPE, PRODUCER_TYPE, None, "", "somebody.elses.v1", "\ufffd"]
OPEN: Final = ("context", "user", "request")
NAMES: Final = ("service", "environment", "release", "code", "host", "producer_id", "transaction", "template")


class Anything:
    """Draws from the wire's whole space; the same seed draws the same."""

    def __init__(self, seed: int, now: Callable[[], datetime]) -> None:
        self.rng = random.Random(seed)
        self._now = now
        self._serial = 0
        self._type: str = EVENT_TYPE

    def body(self) -> bytes:
        """A message's body; no two are alike."""
        self._serial += 1
        self._type = EVENT_TYPE
        kind = self.rng.random()
        if kind < 0.55:
            return self._wrapped(self.written(self.event()))
        if kind < 0.75:
            self._type = BATCH_TYPE
            members = [self.written(self.event()) for _ in range(self.rng.choice([1, 2, 3, 9]))]
            return self._wrapped(
                b"[" + b",".join([*members, self._junk()][: len(members) + self._one_in(3)]) + b"]"
            )
        if kind < 0.9:
            self._type = PRODUCER_TYPE
            return self.written(self.report())
        return self._junk()

    def message_type(self) -> str | None:
        """The type of the last body, as a rule."""
        return self.rng.choice(TYPES) if self._one_in(5) else self._type

    def properties(self) -> bytes:
        """The payload of a content header, which RabbitMQ would pass on."""
        drawn = {
            "message_type": short((self.message_type() or "").encode()),
            "content_type": short(self._bytes(9)),
            "app_id": short(self._bytes(9)),
            "timestamp": self.rng.choice([self.rng.randbytes(8), struct.pack(">Q", 1_800_000_000)]),
            "headers": table(*(self._header() for _ in range(self.rng.randrange(4)))),
            "priority": self.rng.randbytes(1),
        }
        return header(0, {name: value for name, value in drawn.items() if self._one_in(2)})

    def event(self) -> Any:
        """An event with a few fields replaced by anything."""
        event = wire_event(now=self._now(), serial=self._serial, message=f"m {self.rng.randrange(20)}")
        if self._one_in(3):
            event |= {"producer_id": f"p{self.rng.randrange(9)}", "sequence": self.rng.randrange(100)}
        event |= {"scrubbed": self._one_in(2) == 1, "severity": self.rng.choice(SEVERITIES[:6])}
        if self._one_in(2):
            event["exceptions"] = [self._raised(0) for _ in range(self.rng.choice([0, 1, 1, 3]))]
        for _ in range(self.rng.choice([0, 0, 1, 1, 2, 5])):
            name, value = self._field([name for name in event if name != "serial"])
            event[name] = value
        return event

    def report(self) -> Any:
        """A producer's report with a field or two replaced by anything."""
        lost = {"reason": self._name(), "count": self.rng.randrange(1, 99), "from": 1, "to": 9}
        if self._one_in(3):
            lost[self.rng.choice(list(lost))] = self.number()
        report = {
            "producer_id": f"p{self.rng.randrange(9)}",
            "service": self._name() or "s",
            "started_at": self._time(),
            "last_sequence": self.rng.randrange(100),
            "serial": self._serial,
            "lost": [lost] * self.rng.choice([0, 1, 3]),
        }
        for _ in range(self.rng.choice([0, 0, 1])):
            report[self.rng.choice([name for name in report if name != "serial"])] = self.value(0)
        return report

    def value(self, depth: int) -> Any:
        """Any JSON value, of any depth and size."""
        kind = self.rng.randrange(9 if depth < 4 else 6)
        match kind:
            case 0:
                return self.rng.choice([None, True, False])
            case 1 | 2:
                return self.number()
            case 3 | 4 | 5:
                return self.text()
            case 6:
                return {self.text(): self.value(depth + 1) for _ in range(self.rng.randrange(4))}
            case 7:
                return [self.value(depth + 1) for _ in range(self.rng.randrange(4))]
        deep = self.rng.choice([5, 61, 200, 300, 3_000])
        return Token("[" * deep + "]" * deep)

    def number(self) -> Token:
        """A number, as one writes it and as nobody does."""
        return Token(self.rng.choice(NUMBERS))

    def text(self) -> str:
        """A text: an odd one, or letters at random from all of Unicode, halves of pairs too."""
        if self._one_in(3):
            return "".join(chr(self.rng.randrange(0x110000)) for _ in range(self.rng.randrange(12)))
        return self.rng.choice(TEXTS)

    def written(self, value: Any) -> bytes:
        """The JSON of a value, in ASCII or not."""
        text = _json(value, ascii_only=self._one_in(2) == 1)
        return text.encode(errors=self.rng.choice(["replace", "surrogatepass"]))

    def _field(self, present: list[str]) -> tuple[str, Any]:
        choice = self.rng.choice
        drawn: list[Callable[[], tuple[str, Any]]] = [
            lambda: (choice(("occurred_at", "first_at", "last_at")), self._time()),
            lambda: (choice(("count", "sequence", "schema_version")), self.number()),
            lambda: (choice(NAMES), self.text()),
            lambda: (choice(OPEN), {self.text(): self.value(0) for _ in range(3)}),
            lambda: ("tags", {self.text(): choice([self.text(), self.number(), None])}),
            lambda: ("fingerprint", [self.text() for _ in range(choice([1, 2, 60]))]),
            lambda: ("severity", choice(SEVERITIES)),
            lambda: (choice([*present, "breadcrumbs", "sdk", "truncated", "zzz"]), self.value(0)),
        ]
        return choice(drawn)()

    def _raised(self, depth: int) -> dict[str, Any]:
        one = raised(self._name() or "E", qualname=self.text(), value=self.text())
        if self._one_in(3):
            one["attributes"] = {self.text(): self.rng.choice([self.text(), self.number(), None])}
        if self._one_in(4):
            variables = {self.text(): self.value(0) for _ in range(self.rng.choice([0, 0, 3, 60]))}
            frame = {"module": self.text(), "line": self.number(), "context": [self.text()] * 3}
            one["frames"] = [frame | {"vars": variables}, frame, frame]
        if depth < 3 and self._one_in(4):
            one["members"] = [[self._raised(depth + 1)]]
        if self._one_in(9):
            one[self.rng.choice(list(one))] = self.value(0)
        return one

    def _junk(self) -> bytes:
        sound = self.written(self.event())
        return self.rng.choice(
            [
                self.rng.randbytes(self.rng.randrange(60)) + b" %d" % self._serial,
                sound[: self.rng.randrange(len(sound))] + b"|%d" % self._serial,
                b'{"serial": %d, "deep": %s' % (self._serial, b"[" * 2_000),
                b'{"serial": %d, "service": "caf\xe9"}' % self._serial,
                b"[" + b"1," * 1_000 + b"%d]" % self._serial,
                b"%d" % self._serial,
            ]
        )

    def _wrapped(self, body: bytes) -> bytes:
        return self.rng.choice([body, body, b"\xef\xbb\xbf" + body, b" \n" + body, body + b"\n"])

    def _header(self) -> tuple[bytes, bytes]:
        name = self.rng.choice([b"x-delivery-count", b"x-acquired-count", b"x-death", b"at", self._bytes(5)])
        value = self.rng.choice(
            [
                b"l" + self.rng.randbytes(8),
                b"T" + self.rng.randbytes(8),
                b"S" + long(self._bytes(9)),
                b"A"
                + long(b"F" + table((b"queue", b"S" + long(self._bytes(9))), (b"count", b"l" + b"\x7f" * 8))),
                b"V",
                nested(self.rng.choice([1, 20, 2_000])),
            ]
        )
        return name, value

    def _bytes(self, most: int) -> bytes:
        return self.rng.randbytes(self.rng.randrange(most))

    def _time(self) -> str:
        return self.rng.choice(TIMES)

    def _name(self) -> str:
        return self.rng.choice([f"s{self.rng.randrange(9)}", self.text()])

    def _one_in(self, count: int) -> int:
        return int(self.rng.randrange(count) == 0)


def _json(value: Any, *, ascii_only: bool) -> str:
    if isinstance(value, Token):
        return str(value)
    if isinstance(value, dict):
        pairs = (
            f"{json.dumps(name, ensure_ascii=ascii_only)}:{_json(one, ascii_only=ascii_only)}"
            for name, one in value.items()
        )
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(one, ascii_only=ascii_only) for one in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)
