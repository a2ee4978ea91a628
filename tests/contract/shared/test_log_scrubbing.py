"""No secret in a log: in a message, in what was bound, in an exception; of a service and of the worker."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from tests.tools.secret import CANARY

from faultwire import configure_logging

WORKER = """
import logging, sys
import structlog
from faultwire_shared.logging.logs import configure_process_logging, get_logger
configure_process_logging(log_format=sys.argv[1])
secret = sys.argv[2]
get_logger("x").info("token=" + secret, password=secret, headers={"Cookie": secret}, order=17,
                     ip="203.0.113.9")
try:
    raise ValueError(f"postgres://u:{secret}@db") from RuntimeError(f"token={secret}")
except ValueError:
    logging.getLogger("y").exception("password: %s", secret, extra={"api_key": secret})
"""


@pytest.fixture
def console(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    before, stream = structlog.get_config(), io.StringIO()
    with configure_logging(request.node.name, tmp_path / "app.log", stream=stream):
        yield stream
    structlog.configure(**before)


def log_everything(name: str) -> None:
    logger = logging.getLogger(name)
    logger.error("refused with password=%s", CANARY, extra={"api_key": CANARY, "order": 17})
    structlog.get_logger(name).error(
        "refused", token=CANARY, url=f"https://u:{CANARY}@host/", ip="203.0.113.9"
    )
    error = ValueError(f"token={CANARY}")
    error.add_note(f"Authorization: Bearer {CANARY}")
    logger.error("with a trace", exc_info=error, stack_info=True)


def test_console_and_file_hold_no_secret_and_the_rest(
    console: io.StringIO, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    log_everything(request.node.name)
    pipe = configure_logging(
        request.node.name, None, stream=io.StringIO()
    )  # the first one is closed and written
    pipe.close()
    for text in (console.getvalue(), (tmp_path / "app.log").read_text()):
        assert CANARY not in text
        assert "[scrubbed]" in text
        assert "203.0.113.9" in text
        assert "ValueError" in text


def test_a_service_may_want_its_secrets_in_its_own_log(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    stream = io.StringIO()
    with configure_logging(request.node.name, None, stream=stream, scrub=False):
        log_everything(request.node.name)
    assert CANARY in stream.getvalue()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_workers_log_holds_no_secret(log_format: str) -> None:
    command = [sys.executable, "-c", WORKER, log_format, CANARY]
    written = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert CANARY not in written.stderr
    assert written.stderr.count("[scrubbed]") >= 6
    for kept in ("203.0.113.9", "17", "ValueError"):
        assert kept in written.stderr


def test_a_worker_and_a_service_write_one_shape_of_json(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORKER, "json", CANARY]
    written = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    with configure_logging("shape", tmp_path / "shape.log", file_level="INFO", stream=io.StringIO()):
        structlog.get_logger("shape").info("x", order=17)
    served = json.loads((tmp_path / "shape.log").read_text())
    for line in map(json.loads, written.stderr.splitlines()):
        assert list(line)[:4] == list(served)[:4] == ["timestamp", "level", "logger", "message"]
    first = json.loads(written.stderr.splitlines()[0])
    assert (first["level"], first["logger"], first["order"]) == ("INFO", "x", 17)
