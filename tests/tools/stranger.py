"""Events of strangers by a seed: valid JSON in any spelling, with secrets, what looks alike, and neither.

Half of them hold ordinary things alone, so that both answers of a check are given again and again.
"""

import json
from random import Random
from typing import Any, Final

from tests.tools.secret import CARDS, ORDINARY, PLANTED, TOKENS

from faultwire_shared.scrub.key import SECRET_NAMES
from faultwire_shared.scrub.pair import LABELS, VALUES

_NAMES: Final = sorted(SECRET_NAMES)
_LABELS: Final = (*sorted(LABELS), *sorted(VALUES))
_PLAIN: Final = (
    "order",
    "basket",
    "currency",
    "url",
    "step",
    "rows",
    "shop",
    "retry",
    "region",
    "größe",
    "注文",
)
_KEYS: Final = ("api key", "PassWord", "x-api-key", "credit card", "csrf", "sid", "user ip", "seed phrase")
_SECRET: Final = (*_NAMES, *_KEYS)
_ANY: Final = (*_PLAIN, *_LABELS)
_PIECES: Final = (
    *(
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "--password",
        "-p",
        "password = (",
        '"token":',
    ),
    *(
        "password",
        "('password', ",
        "input_value=",
        "\n",
        "\\n",
        "\\",
        '"',
        "'",
        ",",
        ":",
        "=",
        "%3D",
        "/",
        ".",
    ),
    *(
        "https://u:",
        "@host",
        "basic ",
        "bearer ",
        "eyJ",
        "é",
        "\u2028",
        "😀",
        "x" * 1030,
        "4111111",
        "7" * 20,
    ),
)
_SOURCE: Final = (
    *("    token = next(tokens)", "password = read_password()", "    raise Refused(order)", "password = ("),
    *('    "hunter2Zq"', 'api_key = "hunter2Zq"', "    if a: b = {", '    "token":', "auth: str = ("),
)
_NUMBERS: Final = (
    *(0, 1, -7, 17, 1.5, -0.0, 1e3, 1732370400123, 1732370400.123456, 2**63, 10**25, 4111111111111111),
    *(4111111111111111.0, 4.111111111111111e15, -4111111111111111, 67_000_000_000_000, 378282246310005),
)
_ODD: Final = ("67e12", "4111111111111110.9999", "1e400", "9" * 400, "1E+2", "0.1e1", "4111111111111111e0")


class Stranger:
    """Writes events.

    Args:
        seed: decides all of them.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._is_wild = False

    def body(self) -> bytes:
        """Write the next event."""
        pick = self._random
        self._is_wild = pick.random() < 0.5
        members = [(name, value) for name, value in self._event().items()]
        if pick.random() < 0.1:
            pick.shuffle(members)
        if self._is_wild and pick.random() < 0.1:
            members.append(
                (pick.choice(["context", "tags", "unknown", "exceptions"]), {} if pick.random() < 0.5 else [])
            )
        spelling = pick.choice([(",", ":"), (",", ":"), (", ", ": "), (" ,\n\t", " :\r\n")])
        written = spelling[0].join(
            f"{self._text(name)}{spelling[1]}{self._json(value, spelling)}" for name, value in members
        )
        return f"{{{written}}}".encode() + pick.choice([b"", b"", b"\n", b" \r\n"])

    def _event(self) -> dict[str, Any]:
        pick = self._random
        event: dict[str, Any] = {
            "id": f"error_20261123_{pick.getrandbits(48):012x}",
            "schema_version": 1,
            "occurred_at": f"2026-11-23T10:{pick.randrange(60):02d}:00.{pick.randrange(1000):03d}Z",
            "severity": pick.choice(["high", "low", 20, "error"]),
            "service": pick.choice(["shop", "billing", "auth", "4111111111111111"])
            if self._is_wild
            else "shop",
            "message": self._string() or "refused",
        }
        for name, make in (
            ("exceptions", self._exceptions),
            ("context", self._mapping),
            ("tags", lambda: {self._name(): pick.choice([self._string(), 17, None, True]) for _ in range(3)}),
            ("user", self._mapping),
            ("request", self._mapping),
            ("breadcrumbs", lambda: [self._mapping() for _ in range(pick.randrange(3))]),
            ("fingerprint", lambda: [self._string() for _ in range(pick.randrange(3))]),
            ("transaction", self._string),
            ("code", lambda: self._string()[:200]),
            ("host", self._string),
            ("release", lambda: self._string()[:200]),
            ("unknown", lambda: self._value(0)),
            ("sdk", lambda: {"name": "sentry.php", "version": "1.2"}),
            ("truncated", lambda: [self._name()]),
            ("scrubbed", lambda: False),
        ):
            if pick.random() < (0.05 if name == "scrubbed" else 0.4):
                event[name] = make()
        return event

    def _exceptions(self) -> list[dict[str, Any]]:
        return [self._exception(0) for _ in range(self._random.randrange(1, 3))]

    def _exception(self, depth: int) -> dict[str, Any]:
        pick = self._random
        one: dict[str, Any] = {
            "type": pick.choice(["KeyError", "Refused", self._string()]),
            "value": self._string(),
        }
        if pick.random() < 0.8:
            one["frames"] = [self._frame() for _ in range(pick.randrange(4))]
        if pick.random() < 0.2:
            one["attributes"] = {self._name(): pick.choice([self._string(), 17])}
        if pick.random() < 0.2:
            one["notes"] = [self._string() for _ in range(pick.randrange(3))]
        if pick.random() < 0.1 and depth < 2:
            one["members"] = [[self._exception(depth + 1)]]
        return one

    def _frame(self) -> dict[str, Any]:
        pick = self._random
        lines = _SOURCE[:3] if not self._is_wild else (*_SOURCE, *_SOURCE, self._string())
        frame: dict[str, Any] = {
            "file": f"shop/step_{pick.randrange(5)}.py",
            "module": "shop.step",
            "qualname": pick.choice(["pay", "call", self._name()]),
            "line": pick.randrange(9),
            "in_app": True,
            "context": [pick.choice(lines) for _ in range(pick.randrange(4))],
        }
        if pick.random() < 0.15:
            frame["vars"] = self._mapping()
        return frame

    def _mapping(self, depth: int = 0) -> dict[str, Any]:
        return {self._name(): self._value(depth) for _ in range(self._random.randrange(4))}

    def _value(self, depth: int) -> Any:
        pick = self._random
        roll = pick.random()
        if roll < 0.65:
            return self._single(roll)
        if depth >= 3:
            return 17 if pick.random() < 0.9 or not self._is_wild else self._deep()
        if roll < 0.85:
            return self._mapping(depth + 1)
        if self._is_wild and roll < 0.9:
            return [self._name(), self._string()]
        return [self._value(depth + 1) for _ in range(pick.randrange(4))]

    def _single(self, roll: float) -> Any:
        if roll < 0.45:
            return self._string()
        if roll < 0.6:
            return self._random.choice(_NUMBERS if self._is_wild else _NUMBERS[:8])
        return self._random.choice([None, True, False, ""])

    def _deep(self) -> Any:
        value: Any = "x"
        for _ in range(self._random.choice([5, 40, 58, 70])):
            value = [value] if self._random.random() < 0.5 else {"a": value}
        return value

    def _name(self) -> str:
        pick = self._random
        roll = pick.random()
        if not self._is_wild or roll < 0.5:
            return pick.choice(_ANY)
        if roll < 0.6:
            return self._string()
        name = pick.choice(_SECRET)
        if roll < 0.8:
            at = pick.randrange(len(name) + 1)
            name = name[:at] + pick.choice(["_", "-", ".", " ", "/", "[", "7", "é", "\u00ad", ""]) + name[at:]
        return pick.choice(
            [name, name.upper(), name.title(), f"my_{name}", f"{name}2", f"{name}s", f"http_{name}"]
        )

    def _string(self) -> str:
        pick = self._random
        roll = pick.random()
        if not self._is_wild:
            plain = (
                pick.choice(ORDINARY)
                if roll < 0.3
                else f"{pick.choice(_PLAIN)} {pick.randrange(1000)} refused"
            )
            return plain if roll < 0.9 else f"{pick.getrandbits(128):032x}"
        if roll < 0.25:
            return pick.choice(PLANTED).text
        if roll < 0.35:
            return pick.choice(TOKENS if roll < 0.3 else CARDS)
        if roll < 0.55:
            return "".join(pick.choice(_PIECES) for _ in range(pick.randrange(1, 5)))
        return self._name() if roll < 0.7 else pick.choice(ORDINARY)

    def _json(self, value: Any, spelling: tuple[str, str]) -> str:
        pick = self._random
        comma, colon = spelling
        if isinstance(value, dict):
            members = [f"{self._text(name)}{colon}{self._json(one, spelling)}" for name, one in value.items()]
            if self._is_wild and members and pick.random() < 0.05:
                members.insert(
                    0, f"{self._text(next(iter(value)))}{colon}{self._json(self._string(), spelling)}"
                )
            return f"{{{comma.join(members)}}}"
        if isinstance(value, list):
            return f"[{comma.join(self._json(one, spelling) for one in value)}]"
        if isinstance(value, str):
            return self._text(value)
        if self._is_wild and value == 17 and pick.random() < 0.2:
            return pick.choice(_ODD)
        return json.dumps(value)

    def _text(self, text: str) -> str:
        """Spell a string: as it is, in ASCII, or with any character as its number."""
        roll = self._random.random()
        if self._is_wild and roll < 0.05:
            return (
                '"'
                + "".join(
                    f"\\u{ord(each):04x}"
                    if ord(each) < 0xD800 and self._random.random() < 0.3
                    else json.dumps(each, ensure_ascii=False)[1:-1]
                    for each in text
                )
                + '"'
            )
        return json.dumps(text, ensure_ascii=roll < 0.5)
