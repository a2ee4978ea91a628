"""Bugsink as its users run it: SQLite, gunicorn in front, snappea that digests; fed over its own intake.

It is installed into a virtual environment of its own, so that neither side's libraries meet the other's.
"""

import json
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Final

from msgspec import Struct
from tests.benchmarks import drain
from tests.benchmarks.sentry_traffic import Project
from tests.servers.process import ServerError, ServerProcess, reserve_port, run, wait_until
from tests.servers.worker import clean_environment
from tests.tools.event import FRAMES
from tests.tools.usage import cpu_seconds, tree_of

from faultwire_shared.event import Event, ExceptionInfo

HOME: Final = drain.ROOT / "build" / "bench" / "bugsink"
REQUIREMENTS: Final = Path(__file__).with_name("bugsink-requirements.txt")
GROUPS: Final = 20
CONNECTIONS: Final = 8
GUNICORN_WORKERS: Final = 3
_STAMP: Final = HOME / "installed"
_MAKE_PROJECTS: Final = """
import sys, django; django.setup()
from projects.models import Project
for number in range(int(sys.argv[1])):
    project = Project.objects.create(name=f"shop-{number}")
    print(project.id, project.sentry_key.hex)
"""


class Installation(Struct, frozen=True):
    """A directory with its configuration and an empty, migrated database."""

    directory: Path
    projects: Sequence[Project]
    environment: dict[str, str]

    @property
    def key(self) -> str:
        """Of the first project, which events are sent to."""
        return self.projects[0].key

    @property
    def database(self) -> Path:
        return self.directory / "db.sqlite3"


def install() -> str:
    """Install what is pinned, once; why it cannot be, or nothing."""
    if _STAMP.exists() and _STAMP.read_text() == REQUIREMENTS.read_text():
        return ""
    try:
        run([sys.executable, "-m", "venv", "--clear", str(HOME)])
        pip = [str(HOME / "bin" / "python"), "-m", "pip", "--quiet", "--no-input", "install"]
        run([*pip, "--disable-pip-version-check", "-r", str(REQUIREMENTS)])
    except (ServerError, TimeoutExpired) as error:
        return str(error)
    _STAMP.write_text(REQUIREMENTS.read_text())
    return ""


def set_up(directory: Path, *, projects: int = 1) -> Installation:
    """What its guide says for one server, without nginx."""
    environment = clean_environment(directory) | {
        "DJANGO_SETTINGS_MODULE": "bugsink_conf",
        "PYTHONPATH": str(directory),
        "PATH": f"{HOME / 'bin'}:/usr/bin:/bin",
    }
    configure = ["bugsink-create-conf", "--template=singleserver", "--host=localhost"]
    run(["env", "-C", str(directory), *configure, f"--base-dir={directory}"], environment)
    _lift_quota(directory / "bugsink_conf.py")
    run(["bugsink-manage", "migrate"], environment)
    run(["bugsink-manage", "migrate", "snappea", "--database=snappea"], environment)
    made = run([str(HOME / "bin" / "python"), "-c", _MAKE_PROJECTS, str(projects)], environment)
    return Installation(directory, [Project(*line.split()) for line in made.splitlines()], environment)


def _lift_quota(configuration: Path) -> None:
    """Let it take more than the thousand events in five minutes that it takes as it is shipped."""
    quotas = {"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES": 100_000, "MAX_EVENTS_PER_5_MINUTES": 100_000}
    with configuration.open("a", encoding="utf-8") as lines:
        lines.write(f"\nBUGSINK.update({quotas!r})\n")


@contextmanager
def running(installed: Installation) -> Iterator[tuple[int, list[ServerProcess]]]:
    """Its port, and both of its processes."""
    port, log = reserve_port(), installed.directory / "bugsink.log"
    web = [f"--bind=127.0.0.1:{port}", f"--workers={GUNICORN_WORKERS}", "bugsink.wsgi"]
    processes = [
        ServerProcess(["gunicorn", *web], installed.environment, log),
        ServerProcess(["bugsink-runsnappea"], installed.environment, log),
    ]
    try:
        processes[0].wait_until(lambda: _answers(port), "Bugsink answers")
        yield port, processes
    finally:
        for process in processes:
            process.end()


def _answers(port: int) -> bool:
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("GET", "/health/ready", headers=HEADERS)
            connection.getresponse()
    except OSError:
        return False
    return True


def store(installed: Installation, count: int) -> drain.Drained:
    """Send events over several connections; the rate at which they come to stand in its table."""
    with running(installed) as (port, processes):
        time.sleep(2.0)  # its workers have loaded: neither side's start is measured
        before = _cpu(processes)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            shares = [range(first, count, CONNECTIONS) for first in range(CONNECTIONS)]
            sending = [pool.submit(_send, port, installed.key, share) for share in shares]
            first = _wait_stored(installed.database, 1)
            last = _wait_stored(installed.database, count)
            for one in sending:
                one.result()
        cpu_us = (_cpu(processes) - before) / count * 1e6
    return drain.Drained(count - first[1], last[0] - first[0], cpu_us)


def _wait_stored(database: Path, count: int) -> tuple[float, int]:
    """When so many stood there, and how many by then."""
    found = [0.0, 0.0]

    def are_stored() -> bool:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
            stored = connection.execute("SELECT count(*) FROM events_event").fetchone()[0]
        found[:] = [time.perf_counter(), stored]
        return bool(stored >= count)

    wait_until(are_stored, f"{count} events in Bugsink", seconds=drain.PATIENCE_SECONDS)
    return found[0], int(found[1])


def _cpu(processes: list[ServerProcess]) -> float:
    return sum(cpu_seconds(pid) for process in processes for pid in tree_of(process.pid))


HEADERS: Final = {"Host": "localhost", "X-Forwarded-Proto": "https", "X-Real-IP": "127.0.0.1"}


def _send(port: int, key: str, numbers: range) -> None:
    send(port, key, (_event(uuid.uuid4().hex, number) for number in numbers))


def send(port: int, key: str, events: Iterable[dict[str, Any]]) -> None:
    """Send events in Sentry's words, one after another over one connection."""
    headers = HEADERS | {
        "Content-Type": "application/x-sentry-envelope",
        "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={key}",
    }
    with closing(HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
        for event in events:
            connection.request("POST", "/api/1/envelope/", _envelope(event), headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text[:500]


def groups_of(installed: Installation, event_ids: Sequence[str]) -> list[str]:
    """Wait until these events stand in its table; the issue of each, in their order."""
    _wait_stored(installed.database, len(event_ids))
    with closing(sqlite3.connect(f"file:{installed.database}?mode=ro", uri=True, timeout=30)) as connection:
        rows = connection.execute("SELECT event_id, issue_id FROM events_event").fetchall()
    issues = {str(event_id).replace("-", ""): str(issue_id) for event_id, issue_id in rows}
    return [issues[event_id] for event_id in event_ids]


def in_sentrys_words(event: Event, event_id: str) -> dict[str, Any]:
    """One of our events as Sentry's client for Python would send it: the root cause first."""
    return {
        "event_id": event_id,
        "timestamp": event.occurred_at.isoformat(),
        "platform": "python",
        "level": "error",
        "release": event.release or "",
        "environment": event.environment,
        "server_name": event.host or "",
        "transaction": event.transaction or "",
        "tags": dict(event.tags),
        **_said(event),
    }


def _said(event: Event) -> dict[str, Any]:
    if not event.exceptions:
        return {"logentry": {"formatted": event.message}, "message": event.message}
    values = [_exception(error) for error in reversed(event.exceptions)]
    return {"exception": {"values": values}}


def _exception(error: ExceptionInfo) -> dict[str, Any]:
    frames = [
        {
            "filename": frame.file,
            "abs_path": f"/srv/{frame.file}",
            "module": frame.module,
            "function": frame.qualname,
            "lineno": frame.line,
            "in_app": frame.in_app,
            "context_line": frame.context[len(frame.context) // 2] if frame.context else "",
        }
        for frame in error.frames
    ]
    return {
        "type": error.type,
        "module": error.module,
        "value": error.value,
        **({"stacktrace": {"frames": frames}} if frames else {}),
    }


def _envelope(event: dict[str, Any]) -> bytes:
    body = json.dumps(event).encode()
    head = json.dumps({"event_id": event["event_id"]}).encode()
    item = json.dumps({"type": "event", "length": len(body)}).encode()
    return head + b"\n" + item + b"\n" + body + b"\n"


def _event(event_id: str, number: int) -> dict[str, Any]:
    """The benchmarks' event in Sentry's words."""
    group = number % GROUPS
    return {
        "event_id": event_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "platform": "python",
        "level": "error",
        "release": "1.4.2",
        "environment": "production",
        "server_name": "web-3",
        "transaction": "/baskets/{id}/price",
        "tags": {"region": "eu-central-1", "plan": "team"},
        "extra": {"order": number, "currency": "EUR", "basket": ["apples", "pears", "plums"]},
        "exception": {
            "values": [
                {
                    "type": f"Step{group}Error",
                    "module": "builtins",
                    "value": "'price'",
                    "stacktrace": {"frames": [_frame(group, depth) for depth in range(FRAMES)]},
                }
            ]
        },
    }


def _frame(group: int, depth: int) -> dict[str, Any]:
    module = f"shop.step_{group}" if depth >= FRAMES - 4 else f"framework.layer_{depth}"
    return {
        "filename": f"{module.replace('.', '/')}.py",
        "abs_path": f"/srv/shop/{module.replace('.', '/')}.py",
        "module": module,
        "function": f"call_{depth}",
        "lineno": 100 + depth,
        "in_app": depth >= FRAMES - 4,
        "context_line": f"    return call_{depth + 1}(basket)",
    }
