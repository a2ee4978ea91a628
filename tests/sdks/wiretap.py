"""An HTTP proxy that writes down what an SDK sent and what it was answered."""

import gzip
import importlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from msgspec import Struct

_HOP: Final = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}


class Exchange(Struct, frozen=True):
    """A request that was answered; the body as it was sent, without chunks."""

    path: str
    encoding: str
    body: bytes
    status: int
    headers: dict[str, str]
    answer: bytes

    @property
    def text(self) -> bytes:
        """The body as it was before it was compressed."""
        return _inflated(self.body, self.encoding)

    @property
    def item_types(self) -> Counter[str]:
        """How many items of each type an envelope held."""
        found: Counter[str] = Counter()
        rest = self.text.partition(b"\n")[2]
        while rest.strip():
            head, _, rest = rest.partition(b"\n")
            item = json.loads(head)
            found[item["type"]] += 1
            length = item.get("length")
            rest = rest.partition(b"\n")[2] if length is None else rest[length + 1 :]
        return found

    @property
    def event_id(self) -> str | None:
        """The id that the answer names."""
        with suppress(ValueError):
            named: str | None = json.loads(self.answer).get("id")
            return named
        return None


def _inflated(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "br":  # where an extra brings Brotli, Sentry's SDK prefers it
        plain: bytes = importlib.import_module("brotli").decompress(body)
        return plain
    return body


class Wiretap(ThreadingHTTPServer):
    """Passes requests on to a port of this machine; one that is refused there is broken off here."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = port
        self.exchanges: list[Exchange] = []

    def through(self, dsn: str) -> str:
        """The DSN that leads here."""
        return dsn.replace(f":{self.behind}", f":{self.server_port}")

    def item_types(self, since: int = 0) -> Counter[str]:
        """How many items of each type came, from the exchange of this number on."""
        return sum((one.item_types for one in self.exchanges[since:]), Counter[str]())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections break on purpose here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Wiretap

    def do_POST(self) -> None:
        body = self._read()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        with closing(HTTPConnection("127.0.0.1", self.server.behind, timeout=30)) as connection:
            try:
                connection.request("POST", self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, HTTPException):
                self.close_connection = True
                return
        told = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in _HOP}
        encoding = self.headers.get("Content-Encoding", "")
        # Before it is passed on: whoever reads the list later finds every answer that an SDK had.
        self.server.exchanges.append(Exchange(self.path, encoding, body, answer.status, told, content))
        self.send_response(answer.status)
        for name, value in (told | {"content-length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        return


@contextmanager
def tapping(port: int) -> Iterator[Wiretap]:
    """A wiretap before a port."""
    tap = Wiretap(port)
    thread = threading.Thread(target=tap.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield tap
    finally:
        tap.shutdown()
        thread.join()
        tap.server_close()
