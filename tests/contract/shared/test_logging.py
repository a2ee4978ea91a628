"""Logging as the founding document has it: a real file, its rotation, its queue and its end."""

import io
import json
import logging
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from faultwire import ErrorManager, SyncErrorManager, configure_logging
from faultwire.integrations.logging import ErrorHandler
from faultwire.testing import capture_events
from faultwire_shared.logging import logs
from faultwire_shared.logging import pipe as log_pipe
from faultwire_shared.logging.pipe import LogPipe


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A logger of the test's own."""
    return f"test.{request.node.name}"


@pytest.fixture
def configure(name: str, tmp_path: Path) -> Iterator[Callable[..., LogPipe]]:
    """`configure_logging` for the test's logger, undone at its end."""
    pipes: list[LogPipe] = []
    before = structlog.get_config()

    def make(**options: Any) -> LogPipe:
        usual: dict[str, Any] = {"name": name, "file": tmp_path / "logs" / "app.log"}
        given = usual | {"stream": io.StringIO()} | options
        pipes.append(configure_logging(**given))
        return pipes[-1]

    yield make
    for pipe in pipes:
        pipe.close()
    structlog.configure(**before)


def documents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_directory_is_made_and_errors_go_to_the_file_as_json(
    configure: Callable[..., LogPipe], name: str, tmp_path: Path
) -> None:
    console = io.StringIO()
    with configure(stream=console):
        logging.getLogger(name).error("order %d refused", 17, extra={"order": 17})
        structlog.get_logger(name).error("order refused", order=18)
        logging.getLogger(name).info("for the console")
        logging.getLogger(name).debug("for nobody")
    written = documents(tmp_path / "logs" / "app.log")
    assert [(one["logger"], one["level"], one["message"], one["order"]) for one in written] == [
        (name, "ERROR", "order 17 refused", 17),
        (name, "ERROR", "order refused", 18),
    ]
    lines = console.getvalue().splitlines()
    assert [line.partition("Z ")[2] for line in lines] == [
        f"[ERROR] {name}: order 17 refused",
        f"[ERROR] {name}: order refused order=18",
        f"[INFO] {name}: for the console",
    ]


def test_the_figures_are_the_founding_documents() -> None:
    assert (logs.MAX_BYTES, logs.BACKUPS) == (10_485_760, 5)


def test_a_file_rotates_at_its_size_and_five_are_kept(
    configure: Callable[..., LogPipe], name: str, tmp_path: Path
) -> None:
    with configure(max_bytes=2000) as pipe:
        for number in range(200):
            logging.getLogger(name).error("order %03d: %s", number, "é" * 40)
        assert pipe.flush()
    directory = tmp_path / "logs"
    files = [directory / "app.log", *(directory / f"app.log.{number}" for number in range(1, 6))]
    assert sorted(directory.iterdir()) == sorted(files)
    assert all(path.stat().st_size <= 2000 for path in files)
    kept = [one["message"] for path in reversed(files) for one in documents(path)]
    assert kept == [f"order {number:03d}: {'é' * 40}" for number in range(200 - len(kept), 200)]


def test_the_default_file_rotates_at_ten_mebibytes(
    configure: Callable[..., LogPipe], name: str, tmp_path: Path
) -> None:
    configure()
    path = tmp_path / "logs" / "app.log"
    with path.open("a") as file:
        file.truncate(10_485_760 - 200)
    with configure():
        logging.getLogger(name).error("the last that fits")
        logging.getLogger(name).error("the first of the next: %s", "x" * 200)
    assert 10_485_760 - 200 < (tmp_path / "logs" / "app.log.1").stat().st_size < 10_485_760
    assert documents(path)[0]["message"].startswith("the first of the next")


def test_the_named_logger_is_at_debug_without_propagation_and_others_stay(
    configure: Callable[..., LogPipe], name: str
) -> None:
    other = logging.getLogger(f"{name}-other")
    other.addHandler(logging.NullHandler())
    logger = logging.getLogger(name)
    pipe = configure()
    assert (logger.level, logger.propagate) == (logging.DEBUG, False)
    assert not other.disabled
    assert other.propagate
    assert len(other.handlers) == 1
    pipe.close()
    assert (logger.level, logger.propagate, logger.handlers) == (logging.NOTSET, True, [])


def test_a_second_call_replaces_the_first(
    configure: Callable[..., LogPipe], name: str, tmp_path: Path
) -> None:
    configure()
    with configure(file=tmp_path / "other.log"):
        logging.getLogger(name).error("once")
    assert [one["message"] for one in documents(tmp_path / "other.log")] == ["once"]
    assert documents(tmp_path / "logs" / "app.log") == []


def test_two_loggers_of_one_file_share_its_rotation(
    configure: Callable[..., LogPipe], name: str, tmp_path: Path
) -> None:
    stream = io.StringIO()
    first = configure(stream=stream)
    assert configure(name=f"{name}-other", stream=stream) is first
    with pytest.raises(ValueError, match="with other settings"):
        configure(name=f"{name}-third", max_bytes=5)
    logging.getLogger(name).error("one")
    logging.getLogger(f"{name}-other").error("two")
    first.close()
    assert [one["message"] for one in documents(tmp_path / "logs" / "app.log")] == ["one", "two"]


def test_a_mistake_in_a_second_call_leaves_the_first_in_place(
    configure: Callable[..., LogPipe], name: str, tmp_path: Path
) -> None:
    pipe = configure()
    with pytest.raises(ValueError, match="no log level 'LOUD'"):
        configure(level="LOUD")
    with pytest.raises(OSError, match="Is a directory"):
        configure(file=tmp_path)
    logging.getLogger(name).error("still here")
    assert pipe.flush()
    assert documents(tmp_path / "logs" / "app.log")[0]["message"] == "still here"


def test_the_clients_own_line_is_in_the_file_under_the_id_of_the_answer(
    configure: Callable[..., LogPipe], tmp_path: Path
) -> None:
    with configure(name="faultwire"):
        response = ErrorManager(service="shop").handle_error_nowait(RuntimeError("x"))
    (line,) = documents(tmp_path / "logs" / "app.log")
    assert (line["error_id"], line["event"]) == (response.error_id, "error.handled")
    assert line["exception"][0]["exc_type"] == "RuntimeError"


class StuckStream(io.StringIO):
    """A console that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.free.wait(60)
        return super().write(text)


def test_a_disk_that_hangs_holds_no_caller_and_what_is_dropped_is_told(
    configure: Callable[..., LogPipe], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pipe, "WAITING", 50)
    console = StuckStream()
    pipe = configure(file=None, stream=console)
    logger = logging.getLogger(name)
    for number in range(100):
        logger.error("line %d", number)
    assert 40 <= pipe.lost <= 50
    console.free.set()
    assert pipe.flush(60)
    logger.error("after")
    assert pipe.flush(60)
    lines = console.getvalue().splitlines()
    told = [int(count) for line in lines for count in re.findall(r"log\.lost count=(\d+)", line)]
    assert sum(told) == pipe.lost
    assert len(lines) == 101 - pipe.lost + len(told)


def test_a_destructor_that_logs_while_a_line_is_put_does_not_hang(
    configure: Callable[..., LogPipe], name: str, tmp_path: Path
) -> None:
    logger = logging.getLogger(name)

    class Talking:
        def __repr__(self) -> str:
            logger.error("from inside")
            return "talking"

    with configure() as pipe:
        logger.error("outer %r", Talking())
        assert pipe.flush()
    written = [one["message"] for one in documents(tmp_path / "logs" / "app.log")]
    assert "outer talking" in written
    assert "from inside" in written


def test_without_backups_the_file_begins_anew_at_its_size(
    configure: Callable[..., LogPipe], name: str, tmp_path: Path
) -> None:
    with configure(max_bytes=2000, backups=0) as pipe:
        for number in range(200):
            logging.getLogger(name).error("order %03d", number)
        assert pipe.flush()
    (file,) = (tmp_path / "logs").iterdir()
    assert file.stat().st_size <= 2000
    assert documents(file)[-1]["message"] == "order 199"


def test_what_the_consoles_encoding_cannot_say_is_escaped(
    configure: Callable[..., LogPipe], name: str
) -> None:
    written = io.BytesIO()
    with configure(file=None, stream=io.TextIOWrapper(written, encoding="ascii", write_through=True)):
        logging.getLogger(name).error("5 € for Ærø")
    assert written.getvalue().decode("ascii").endswith("5 \\u20ac for \\xc6r\\xf8\n")


@pytest.mark.parametrize("is_first", [True, False])
def test_the_handler_on_the_root_that_makes_events_still_sees_the_named_loggers_errors(
    configure: Callable[..., LogPipe], name: str, *, is_first: bool
) -> None:
    root, printing = logging.getLogger(), logging.StreamHandler(io.StringIO())
    with capture_events() as captured:
        handler = ErrorHandler(SyncErrorManager(service="shop"))
        try:
            if is_first:
                root.addHandler(handler)
            root.addHandler(printing)
            with configure(file=None, stream=io.StringIO()):
                root.addHandler(handler)
                logging.getLogger(f"{name}.orders").error("stock is empty")
        finally:
            root.removeHandler(handler)
            root.removeHandler(printing)
    assert captured.event.message == "stock is empty"
    assert "stock is empty" not in printing.stream.getvalue()


_STUCK = """
import logging, os, sys, time
from faultwire_shared.logging.logs import configure_process_logging
configure_process_logging(log_format="json")
for number in range(20_000):
    logging.getLogger("worker").error("line %d", number)
os.write(1, b"done")
"""


def test_a_process_whose_stderr_nobody_reads_goes_on_and_ends() -> None:
    reading, writing = os.pipe()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _STUCK], stdout=subprocess.PIPE, stderr=writing, timeout=60, check=False
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert (ended.returncode, ended.stdout) == (0, b"done")


def test_what_is_dropped_while_nobody_reads_is_told_once_it_flows_again() -> None:
    more = "os.read(0, 1)\nlogging.getLogger('worker').error('after')\n"
    process = subprocess.Popen(
        [sys.executable, "-c", _STUCK + more],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdin is not None
    assert process.stdout.read(4) == b"done"
    lines = [process.stderr.readline() for _ in range(5_000)]
    process.stdin.write(b"x")
    process.stdin.close()
    lines += process.stderr.readlines()
    process.stdout.close()
    process.stderr.close()
    assert process.wait(60) == 0
    told = [int(n) for line in lines for n in re.findall(r"log\.lost count=(\d+)", line.decode())]
    assert sum(told) > 0
    assert json.loads(lines[-1])["message"] == "after"
    assert len(lines) + sum(told) - len(told) == 20_001


def test_a_process_whose_stderr_is_closed_starts_and_works() -> None:
    script = (
        "from faultwire_consumer.cli import main; import sys, os\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "from faultwire_shared.logging.logs import configure_process_logging, get_logger\n"
        "configure_process_logging(log_format='auto'); get_logger('x').error('for nobody')\n"
        "assert open(os.devnull).fileno() > 2; print('works')"
    )
    command = f"exec {sys.executable} -c {shlex.quote(script)} --version 2>&-"
    ended = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, b"works")


_SCRIPT = """
import logging, os, sys
from faultwire import configure_logging
configure_logging("shop", sys.argv[1], stream=open(os.devnull, "w"))
for number in range(500):
    logging.getLogger("shop").error("line %d", number)
{end}
"""
_FORKING = """
child = os.fork()
logging.getLogger("shop").error("child" if child == 0 else "parent")
if child:
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize(("end", "status"), [("", 0), ("sys.exit(3)", 3), ("raise ValueError('x')", 1)])
def test_everything_is_written_before_the_process_ends(tmp_path: Path, end: str, status: int) -> None:
    path = tmp_path / "app.log"
    ended = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(end=end), path], capture_output=True, check=False
    )
    assert ended.returncode == status
    assert [one["message"] for one in documents(path)] == [f"line {number}" for number in range(500)]


def test_a_forked_child_writes_its_own_lines_and_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    subprocess.run([sys.executable, "-c", _SCRIPT.format(end=_FORKING), path], timeout=60, check=True)
    written = [one["message"] for one in documents(path)]
    assert sorted(written) == sorted([*(f"line {number}" for number in range(500)), "child", "parent"])
