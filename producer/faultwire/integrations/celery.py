"""Celery: one event for each task that fails, by Celery's own signals."""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

from celery import signals

from faultwire.capture import scope
from faultwire.capture.scope import Bound, Surroundings
from faultwire.integrations.log_event import original_of
from faultwire.sync import SyncErrorManager

END_SECONDS: Final = 2.0
"""For a pool's process that ends, to publish what it has; the rest goes to disk."""


class TaskErrors:
    """Signals that ``install`` has connected; as a context manager, disconnected at the end of the block."""

    def __init__(self, app: Any, errors: SyncErrorManager, *, send_arguments: bool) -> None:
        self._app = app
        self._errors = errors
        self._send_arguments = send_arguments
        self._scopes: dict[str, Bound] = {}
        self._connected: list[tuple[Any, Callable[..., None]]] = [
            (signals.task_prerun, self._begin),
            (signals.task_postrun, self._end),
            (signals.task_failure, self._fail),
            (signals.worker_ready, self._start),
            (signals.worker_process_init, self._begin_process),
            (signals.worker_process_shutdown, self._end_process),
        ]
        for signal, receiver in self._connected:
            signal.connect(receiver, weak=False)

    def uninstall(self) -> None:
        """Take everything back."""
        while self._connected:
            signal, receiver = self._connected.pop()
            signal.disconnect(receiver)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uninstall()

    def _is_ours(self, task: Any) -> bool:
        # What a host passes may be a proxy of the app.
        app = getattr(task, "app", None)
        return app is not None and app.main == self._app.main and app == self._app

    def _begin(self, *, task: Any, task_id: str, **_: object) -> None:
        if self._is_ours(task):
            self._scopes[task_id] = scope.begin(partial(self._surroundings, task))

    def _end(self, *, task_id: str, **_: object) -> None:
        bound = self._scopes.pop(task_id, None)
        if bound is not None:
            bound.undo()

    def _surroundings(self, task: Any) -> Surroundings:
        request = task.request
        asked: dict[str, object] = {
            "task_id": request.id,
            "retries": request.retries,
            "queue": (request.delivery_info or {}).get("routing_key"),
        }
        if self._send_arguments:
            asked |= {"args": request.args, "kwargs": request.kwargs}
        return Surroundings(transaction=task.name, request=asked)

    def _fail(self, *, sender: Any, task_id: str, exception: BaseException, **_: object) -> None:
        """In the pool's process, or in the worker's own where the pool's was lost or ran out of time."""
        if not self._is_ours(sender):
            return
        error = original_of(exception)
        if sender.throws and isinstance(error, sender.throws):
            return
        context = {"task_id": task_id, "retries": getattr(sender.request, "retries", None)}
        self._errors.handle_once(error, context=context, transaction=sender.name, handled=False)

    def _start(self, **_: object) -> None:
        """The worker's own process connects, and publishes what a killed one has left on disk."""
        self._errors.start()

    def _begin_process(self, **_: object) -> None:
        self._errors.flush_on_sigterm()

    def _end_process(self, **_: object) -> None:
        self._errors.flush(END_SECONDS / 2)
        self._errors.close()


def install(app: Any, errors: SyncErrorManager, *, send_arguments: bool = False) -> TaskErrors:
    """Report the tasks of this app that fail; call it where the app is made.

    A task that retries has not failed yet, and what a task lists in ``throws`` is expected. An error that the
    task handed over itself stays one event. Each task begins with an empty scope, and every event of it names
    the task as its transaction, with its id, its retries and its queue. A second call for an app takes the
    place of the first.

    Args:
        app: the Celery app.
        errors: made at a module's top; each of the pool's processes goes on with a thread and a file of its
            own.
        send_arguments: put a task's arguments into its events; they often are personal.
    """
    known = _installed.pop(app, None)
    if known is not None:  # two would take back each other's scopes
        known.uninstall()
    installed = _installed[app] = TaskErrors(app, errors, send_arguments=send_arguments)
    return installed


_installed: "WeakKeyDictionary[Any, TaskErrors]" = WeakKeyDictionary()
