"""Requests as no recording has them: each is answered as its SDK needs it, and what can be read is stored."""

import base64
import gzip
import secrets
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

import brotli
import msgspec
import pytest
from msgspec import Struct
from tests.tools.gateway_bench import Answered, GatewayBench, a_gateway, issue
from tests.tools.traffic import KEY

ENVELOPE: Final = f"/api/1/envelope/?sentry_key={KEY}"
STORE: Final = f"/api/1/store/?sentry_key={KEY}"
AUTH: Final = f"Sentry sentry_key={KEY}, sentry_version=7"
BASIC: Final = f"Basic {base64.b64encode(f'{KEY}:'.encode()).decode()}"
UUID: Final = "12345678-1234-1234-1234-1234567890ab"
OTHER: Final = UUID.replace("-", "")
SHOWN: Final = "https://shop.example"


class Odd(Struct, frozen=True, kw_only=True):
    """A request, its answer's status, and how many events it leaves behind."""

    about: str
    path: str = ENVELOPE
    method: str = "POST"
    body: bytes = b""
    headers: dict[str, str] = {}
    chunked: bool = False
    status: int = 200
    stored: int = 0


def event(**fields: Any) -> bytes:
    return msgspec.json.encode({"event_id": secrets.token_hex(16), "message": "odd", **fields})


def item(payload: bytes, **header: Any) -> bytes:
    return msgspec.json.encode({"type": "event", **header}) + b"\n" + payload


def envelope(*items: bytes, header: bytes = b"{}", end: bytes = b"\n") -> bytes:
    return b"\n".join((header, *items)) + end


def sized(payload: bytes) -> bytes:
    return item(payload, length=len(payload))


def plain() -> bytes:
    return envelope(item(event()))


def dsn(key: str = KEY, project: int = 1) -> bytes:
    return msgspec.json.encode({"dsn": f"https://{key}@errors.example/{project}"})


FRAMING: Final = (
    Odd(about="an item without a length", body=plain(), stored=1),
    Odd(about="an item with its length", body=envelope(sized(event())), stored=1),
    Odd(about="no newline at the end", body=envelope(item(event()), end=b""), stored=1),
    Odd(about="empty lines between items", body=envelope(item(event()), b"", b"", item(event())), stored=2),
    Odd(about="CRLF behind headers", body=b'{}\r\n{"type":"event"}\r\n' + event() + b"\r\n", stored=1),
    Odd(about="a BOM in front", body=b"\xef\xbb\xbf" + plain(), stored=1),
    Odd(about="several events", body=envelope(*(item(event()) for _ in range(5))), stored=5),
    Odd(about="chunked", body=plain(), chunked=True, stored=1),
    Odd(about="a header alone", body=b"{}\n"),
    Odd(about="a header alone without a newline", body=b"{}"),
    Odd(about="an item's header without a payload", body=b'{}\n{"type":"event"}\n'),
    Odd(
        about="an unknown item first",
        body=envelope(item(b"whatever", type="future_thing"), item(event())),
        stored=1,
    ),
    Odd(
        about="a broken last item",
        body=envelope(sized(event()), b"not json", b"at all"),
        stored=1,
    ),
    Odd(
        about="a length beyond the end",
        body=envelope(item(event()), item(event(), length=10_000)),
        stored=1,
    ),
    Odd(about="a length below zero", body=envelope(item(event(), length=-1)), stored=1),
    Odd(about="a length as a text", body=envelope(item(event(), length="7")), stored=1),
    Odd(
        about="an attachment that looks like an envelope",
        body=envelope(item(plain(), type="attachment", length=len(plain())), item(event())),
        stored=1,
    ),
    Odd(about="an event that is no object", body=envelope(item(b"[1, 2]"), item(event())), stored=1),
    Odd(
        about="an event above its limit",
        body=envelope(sized(event(x="x" * 1_100_000)), sized(event())),
        stored=1,
    ),
    Odd(about="a first line that is no JSON", body=b"hello\n" + plain(), status=400),
    Odd(about="nothing at all", status=400),
)
ENCODINGS: Final = (
    Odd(about="gzip", body=gzip.compress(plain()), headers={"Content-Encoding": "gzip"}, stored=1),
    Odd(about="GZIP", body=gzip.compress(plain()), headers={"Content-Encoding": "GZIP"}, stored=1),
    Odd(about="zlib", body=zlib.compress(plain()), headers={"Content-Encoding": "deflate"}, stored=1),
    Odd(
        about="raw deflate",
        body=zlib.compress(plain())[2:-4],
        headers={"Content-Encoding": "deflate"},
        stored=1,
    ),
    Odd(about="Brotli", body=brotli.compress(plain()), headers={"Content-Encoding": "br"}, stored=1),
    Odd(about="an empty encoding", body=plain(), headers={"Content-Encoding": ""}, stored=1),
    Odd(about="identity", body=plain(), headers={"Content-Encoding": "identity"}, stored=1),
    Odd(about="an unknown encoding", body=plain(), headers={"Content-Encoding": "x-foo"}, status=415),
    Odd(about="two encodings", body=plain(), headers={"Content-Encoding": "gzip, gzip"}, status=415),
    Odd(
        about="gzip cut off",
        body=gzip.compress(plain())[:-9],
        headers={"Content-Encoding": "gzip"},
        status=400,
    ),
    Odd(about="gzip that is none", body=plain(), headers={"Content-Encoding": "gzip"}, status=400),
)
AUTHS: Final = (
    Odd(
        about="X-Sentry-Auth",
        path="/api/1/envelope/",
        body=plain(),
        headers={"X-Sentry-Auth": AUTH},
        stored=1,
    ),
    Odd(
        about="X-Sentry-Auth in small letters",
        path="/api/1/envelope/",
        body=plain(),
        headers={"X-Sentry-Auth": AUTH.replace("Sentry ", "sentry ")},
        stored=1,
    ),
    Odd(
        about="Authorization: Sentry",
        path="/api/1/envelope/",
        body=plain(),
        headers={"Authorization": AUTH},
        stored=1,
    ),
    Odd(
        about="Authorization: Basic",
        path="/api/1/envelope/",
        body=plain(),
        headers={"Authorization": BASIC},
        stored=1,
    ),
    Odd(about="glitchtip_key", path=f"/api/1/envelope/?glitchtip_key={KEY}", body=plain(), stored=1),
    Odd(
        about="the key in capitals", path=f"/api/1/envelope/?sentry_key={KEY.upper()}", body=plain(), stored=1
    ),
    Odd(about="a UUID as key", path=f"/api/2/envelope/?sentry_key={UUID}", body=plain(), stored=1),
    Odd(
        about="a tunnel's body alone",
        path="/api/99/envelope/",
        body=envelope(item(event()), header=dsn()),
        stored=1,
    ),
    Odd(about="header and DSN", body=envelope(item(event()), header=dsn()), stored=1),
    Odd(
        about="a header that wins over another's DSN",
        body=envelope(item(event()), header=dsn("f" * 32)),
        stored=1,
    ),
    Odd(about="no slash at the end", path=f"/api/1/envelope?sentry_key={KEY}", body=plain(), stored=1),
    Odd(about="a prefix", path=f"/errors/of/shop{ENVELOPE}", body=plain(), stored=1),
    Odd(
        about="a name that is not ours", body=plain(), headers={"Host": "o1.ingest.sentry.example"}, stored=1
    ),
    Odd(about="a future protocol", path=f"{ENVELOPE}&sentry_version=99", body=plain(), stored=1),
    Odd(about="no key", path="/api/1/envelope/", body=plain(), status=401),
    Odd(about="a wrong key", path=f"/api/1/envelope/?sentry_key={'f' * 32}", body=plain(), status=403),
    Odd(about="another key's project", path=f"/api/2/envelope/?sentry_key={KEY}", body=plain(), status=403),
    Odd(about="no number as project", path=f"/api/shop/envelope/?sentry_key={KEY}", body=plain(), status=403),
    Odd(
        about="a page that may",
        path=f"/api/2/envelope/?sentry_key={OTHER}",
        body=plain(),
        headers={"Origin": SHOWN},
        stored=1,
    ),
    Odd(
        about="a page that may not",
        path=f"/api/2/envelope/?sentry_key={OTHER}",
        body=plain(),
        headers={"Origin": "https://evil.example"},
        status=403,
    ),
    Odd(
        about="a page by its referer",
        path=f"/api/2/envelope/?sentry_key={OTHER}",
        body=plain(),
        headers={"Referer": "https://evil.example/x"},
        status=403,
    ),
)
STORES: Final = (
    Odd(about="a store", path=STORE, body=event(), stored=1),
    Odd(about="a store without a project", path=f"/api/store/?sentry_key={KEY}", body=event(), stored=1),
    Odd(about="base64 of zlib", path=STORE, body=base64.b64encode(zlib.compress(event())), stored=1),
    Odd(about="base64 of JSON", path=STORE, body=base64.b64encode(event()), stored=1),
    Odd(about="blanks in front", path=STORE, body=b" \n" + event(), stored=1),
    Odd(
        about="an envelope on store",
        path=STORE,
        body=plain(),
        headers={"Content-Type": "application/x-sentry-envelope"},
        stored=1,
    ),
    Odd(about="a transaction", path=STORE, body=event(type="transaction")),
    Odd(about="a lone surrogate", path=STORE, body=b'{"message":"a\\ud800b"}', stored=1),
    Odd(about="NaN", path=STORE, body=b'{"message":"nan","extra":{"x":NaN}}', stored=1),
    Odd(about="wrong types", path=STORE, body=event(level=[], tags="x", user=7, exception="boom"), stored=1),
    Odd(about="no JSON", path=STORE, body=b"<xml/>", status=400),
    Odd(about="too large", path=STORE, body=b"{" + b" " * 1_100_000 + b"}", status=413),
    Odd(about="reports of a browser", path=f"/api/1/security/?sentry_key={KEY}", body=b'{"csp-report":{}}'),
    Odd(about="the form's script", path="/api/embed/error-page/?eventId=1", method="GET", status=404),
    Odd(about="a minidump", path=f"/api/1/minidump/?sentry_key={KEY}", body=b"MDMP", status=404),
    Odd(about="files of a release", path="/api/0/organizations/x/releases/", method="GET", status=404),
    Odd(about="another method", path=ENVELOPE, method="PUT", body=plain(), status=405),
    Odd(about="GET", path=ENVELOPE, method="GET", status=405),
)
OTLP: Final = (
    Odd(
        about="OTLP without anything",
        path="/v1/logs",
        body=b"{}",
        headers={"Content-Type": "application/json"},
    ),
    Odd(
        about="OTLP of another type",
        path="/v1/logs",
        body=b"x",
        headers={"Content-Type": "text/plain"},
        status=415,
    ),
    Odd(
        about="OTLP that is none",
        path="/v1/traces",
        body=b"no",
        headers={"Content-Type": "application/json"},
        status=400,
    ),
    Odd(
        about="metrics", path="/collect/v1/metrics/", body=b"{}", headers={"Content-Type": "application/json"}
    ),
    Odd(
        about="OTLP by a wrong token",
        path="/v1/logs",
        body=b"{}",
        headers={"Authorization": "Bearer fwt_x"},
        status=401,
    ),
    Odd(
        about="OTLP from a page without a key",
        path="/v1/logs",
        body=b"{}",
        headers={"Content-Type": "application/json", "Origin": SHOWN},
        status=401,
    ),
    Odd(about="OTLP by GET", path="/v1/traces", method="GET", status=405),
)
PREFLIGHTS: Final = tuple(
    Odd(
        about=f"a preflight to {path}",
        path=path,
        method="OPTIONS",
        headers={
            "Origin": SHOWN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
        status=204,
    )
    for path in (
        "/api/1/envelope/",
        "/api/1/store/",
        "/x/v1/logs",
        "/v1/traces",
        "/api/1/integration/otlp/v1/traces/",
    )
)


@pytest.fixture
async def bench(sqlite_url: str) -> AsyncIterator[GatewayBench]:
    await issue(sqlite_url, "web", key=UUID, project=2, origins=(SHOWN,))
    async with a_gateway(sqlite_url) as bench:
        yield bench


async def test_every_odd_request_is_answered_as_its_sender_needs_and_leaves_what_can_be_read(
    bench: GatewayBench,
) -> None:
    found: dict[str, object] = {}
    expected: dict[str, object] = {}
    for odd in (*FRAMING, *ENCODINGS, *AUTHS, *STORES, *OTLP, *PREFLIGHTS):
        before = await bench.stored.one(_COUNT)
        answered = await bench.send(odd.method, odd.path, odd.body, odd.headers, chunked=odd.chunked)
        stored = await bench.stored.one(_COUNT) - before
        found[odd.about] = (answered.status, stored, sorted(_what_is_wrong(odd, answered)))
        expected[odd.about] = (odd.status, odd.stored, [])
    assert found == expected
    assert await bench.stored.one("SELECT count(*) FROM {s}dead_letters") == 0


_COUNT: Final = "SELECT count(*) FROM {s}events WHERE service <> 'faultwire'"


def _what_is_wrong(odd: Odd, answered: Answered) -> set[str]:
    """What an answer lacks that a page, an SDK or an exporter needs."""
    headers, is_otlp = answered.headers, "/v1/" in odd.path
    wrong = set()
    if headers.get("Access-Control-Allow-Origin") != "*" or "X-Sentry-Error" not in headers.get(
        "Access-Control-Expose-Headers", ""
    ):
        wrong.add("no page can read it")
    if "Access-Control-Allow-Credentials" in headers or "Set-Cookie" in headers:
        wrong.add("it is about a visitor")
    if odd.status == 204 and headers.get("Access-Control-Allow-Headers") != "authorization,content-type":
        wrong.add("the page may not send its headers")
    if odd.status >= 400 and not is_otlp and ("X-Sentry-Error" not in headers or not answered.told["detail"]):
        wrong.add("it does not say why")
    if (
        odd.status == 200
        and not is_otlp
        and "transaction;span;session" not in headers["X-Sentry-Rate-Limits"]
    ):
        wrong.add("it does not say what need not be sent")
    if "Retry-After" in headers:
        wrong.add("it stops the SDK")
    return wrong
