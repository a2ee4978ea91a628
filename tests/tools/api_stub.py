"""A small server that answers as the API does, and keeps what it was asked."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = Any | Callable[[dict[str, list[str]]], Any]


class ApiStub:
    """The answers by path, each a document, a status with one, or a function of the query; what was asked.

    Attributes:
        url: where it listens.
        asked: method, path with its query, and body, as they came.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str, Any]] = []
        self._answers: dict[str, tuple[int, Answer]] = {}

    def answer(self, path: str, document: Answer, status: int = 200) -> None:
        """Answer a path below ``/api/v1`` from now on."""
        self._answers[f"/api/v1/{path}"] = status, document

    def refuse(self, path: str, status: int, message: str) -> None:
        """Answer a path with an error."""
        self.answer(path, {"error": {"id": "error_x", "message": message, "code": "X"}}, status)

    def answer_to(self, path: str, query: str) -> tuple[int, Any]:
        """Give the answer to one request."""
        unknown = {"error": {"id": "error_x", "message": f"there is nothing at {path}", "code": "NOT_FOUND"}}
        status, document = self._answers.get(path, (404, unknown))
        return status, document(parse_qs(query)) if callable(document) else document

    def queries(self, path: str) -> list[dict[str, list[str]]]:
        """The queries that a path was asked with, in their order."""
        parts = [urlsplit(asked) for _, asked, _ in self.asked]
        return [parse_qs(part.query) for part in parts if part.path == f"/api/v1/{path}"]


@contextmanager
def stub_api() -> Iterator[ApiStub]:
    """Run the server in a thread."""
    stub = ApiStub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            stub.asked.append(
                (self.command, self.path, json.loads(self.rfile.read(length)) if length else None)
            )
            path, _, query = self.path.partition("?")
            status, document = stub.answer_to(path, query)
            payload = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_POST = do_GET  # noqa: N815 - the standard library's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
