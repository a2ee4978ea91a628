"""Logged lines, without a trace: by template, and as what an f-string leaves of them."""

import random
import string
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tests.tools.corpus import Sample
from tests.tools.factories import wire_body

EACH: Final = 8

Dice = random.Random


def _of(dice: Dice, letters: str, length: int) -> str:
    return "".join(dice.choices(letters, k=length))


def _pod(dice: Dice) -> str:
    letters = "bcdfghjklmnpqrstvwxz2456789"
    return f"api-{_of(dice, letters, 10)}-{_of(dice, letters, 5)}"


def _day(dice: Dice, form: str) -> str:
    return (datetime(2026, 1, 1) + timedelta(seconds=dice.randrange(30_000_000))).strftime(form)  # noqa: DTZ001 - a text


def _word(dice: Dice) -> str:
    return dice.choice(["apple", "plum", "Birne", "Müller", "O Neill", "x"])


def _numbers(dice: Dice) -> list[int]:
    return [dice.randrange(10_000) for _ in range(dice.randrange(1, 9))]


_HEX: Final = "0123456789abcdef"
_ALL: Final = string.ascii_letters + string.digits

TEXTS: Final[dict[str, Callable[[Dice], str]]] = {
    "number": lambda d: f"order {d.randrange(10**9)} was refused",
    "amount": lambda d: f"total {d.uniform(-1000, 10**6):.2f} differs from {d.uniform(0, 1000):,.3f}",
    "uuid": lambda d: f"job {UUID(int=d.getrandbits(128))} was lost",
    "commit": lambda d: f"build of {_of(d, _HEX, 40)} broke",
    "digest": lambda d: f"checksum sha256:{_of(d, _HEX, 64)} does not match",
    "address": lambda d: f"peer 10.{d.randrange(256)}.0.{d.randrange(256)}:{d.randrange(65536)} hung up",
    "address six": lambda d: f"peer fe80::{_of(d, _HEX, 4)}:0{_of(d, _HEX, 3)} is silent",
    "mail": lambda d: f"mail to {_of(d, string.ascii_lowercase, 6)}@example.org bounced",
    "url": lambda d: f"GET https://shop.example/o/{d.randrange(999)}?page={d.randrange(9)} is gone",
    "route": lambda d: f"no route for /orders?id={d.randrange(99)}&from={_word(d)[:1]}",
    "path": lambda d: (
        f"cannot write /var/lib/shop/{_of(d, string.ascii_lowercase, 5)}/{d.randrange(99)}.json"
    ),
    "relative path": lambda d: (
        f"upload uploads/{_of(d, string.ascii_lowercase, 5)}/{d.randrange(99)}.pdf is damaged"
    ),
    "windows path": lambda d: f"share C:\\data\\{_of(d, string.ascii_lowercase, 5)}\\x.doc is locked",
    "arn": lambda d: (
        f"role arn:aws:iam::{d.randrange(10**12)}:role/{_of(d, string.ascii_letters, 6)} has no right"
    ),
    "charge": lambda d: f"charge ch_3{_of(d, _ALL, 23)} was disputed",
    "customer": lambda d: f"customer cus_{_of(d, _ALL, 13)}9 has no card",
    "own id": lambda d: f"event error_20261123_{_of(d, string.ascii_lowercase + '234567', 15)}7 is unknown",
    "pod": lambda d: f"pod {_pod(d)} was evicted",
    "short id": lambda d: (
        f"ticket {d.randrange(9)}{_of(d, string.ascii_lowercase + string.digits, 6)}x is closed"
    ),
    "list": lambda d: f"timeout: SELECT 1 FROM t WHERE id IN ({', '.join(map(str, _numbers(d)))})",
    "placeholders": lambda d: (
        f"too slow: VALUES ({', '.join(f'${n + 1}' for n in range(d.randrange(1, 9)))})"
    ),
    "list of texts": lambda d: f"unknown fields {[_word(d) for _ in _numbers(d)]}",
    "mapping": lambda d: f"bad options { {_word(d): n for n in _numbers(d)} }",
    "quoted": lambda d: f"no product called '{_word(d)}'",
    "guillemets": lambda d: f"Datei «{_word(d)}» fehlt",
    "low quotes": lambda d: f"Kunde „{_word(d)}“ ist gesperrt",
    "corner quotes": lambda d: f"商品「{_word(d)}」がありません",
    "arabic": lambda d: (
        "خطأ رقم " + str(d.randrange(10**6)).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    ),
    "day": lambda d: f"licence ended on {_day(d, '%a %b %d %Y')}",
    "moment": lambda d: f"clock was set back to {_day(d, '%Y-%m-%dT%H:%M:%S')}Z",
    "header": lambda d: f"cached until {_day(d, '%a, %d %b %Y %H:%M:%S')} GMT, served anyway",
    "duration": lambda d: f"query took {d.uniform(0, 9):.3f} s, more than {d.randrange(1, 9)} seconds",
    "compound duration": lambda d: (
        f"lease ends in {d.randrange(1, 9)}h{d.randrange(1, 59)}m{d.randrange(1, 59)}s"
    ),
    "size": lambda d: f"body of {d.uniform(1, 99):.1f} MiB is too large",
    "bytes": lambda d: f"read {d.randrange(1, 10**6)} bytes, then nothing",
    "percent": lambda d: f"disk is {d.randrange(1, 99)}% full",
    "memory address": lambda d: f"<Session object at 0x7f{_of(d, _HEX, 10)}> is closed already",
    "fields": lambda d: f"login denied user={_word(d).split()[0]} ip=10.0.0.{d.randrange(256)}",
    "worker": lambda d: f"worker{d.randrange(100)} died",
}
TEMPLATES: Final = (
    *(
        "order {order} was not found",
        "retry of %s gave up",
        "queue %(name)s is full",
        "cache miss for key ${key}",
    ),
)


def text_samples() -> Iterator[Sample]:
    """Write every line again and again, with other values."""
    dice = Dice(20261123)
    for bug, text in TEXTS.items():
        for _ in range(EACH):
            yield _logged(bug, message=text(dice))
    for template in TEMPLATES:
        for _ in range(EACH):
            yield _logged(template, message=f"{_word(dice)} {dice.random()}", template=template)
    for text_given in ("connection refused", "mailbox full", "card declined", "no such bucket"):
        for template in ("%s", "%s", "Error: %s"):
            message = template.replace("%s", text_given)
            yield _logged(f"{text_given} as {template}", message=message, template=template)
    for logger in ("shop.mail", "shop.sms"):
        for _ in range(EACH):
            yield _logged(
                f"same text of {logger}", message="gave up", template="gave up", tags={"logger": logger}
            )


def _logged(bug: str, **fields: Any) -> Sample:
    return Sample(f"text {bug}", wire_body(**fields))
