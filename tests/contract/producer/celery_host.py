"""A service that runs its jobs by Celery; its settings come by the environment.

Usage: celery -A tests.contract.producer.celery_host worker
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery

from faultwire import SyncErrorManager
from faultwire.integrations.celery import install

errors = SyncErrorManager(
    service="jobs",
    broker_url=os.environ.get("EVENTS_URL"),
    spool_path=os.environ.get("EVENTS_SPOOL", ""),
    collapse_storms=False,
)
app: Any = Celery("jobs", broker=os.environ.get("CELERY_URL", "memory://"))
app.conf.worker_hijack_root_logger = False
install(app, errors)


def task(function: Callable[..., None]) -> Any:
    """``app.task``, typed."""
    return app.task(name=f"jobs.{function.__name__}")(function)


@task
def fail(text: str) -> None:
    errors.bind(order=text)
    raise ValueError(text)


@task
def be_killed(events: int) -> None:
    """Die as by the kernel, once the events are on disk or confirmed."""
    responses = [errors.handle_error(ValueError(str(n)), "high", durability="spooled") for n in range(events)]
    assert all(response.state.accepted for response in responses)
    with Path(os.environ["LEDGER"]).open("a") as ledger:
        ledger.write("".join(f"{response.error_id}\n" for response in responses))
    os.kill(os.getpid(), signal.SIGKILL)
