"""The verbs that say what is true for all errors of the running request, job or task."""

from collections.abc import Mapping

from faultwire.breadcrumb import make_breadcrumb
from faultwire.capture import scope
from faultwire.capture.event import Clock
from faultwire_shared.snapshot import Snapshot


class Binding:
    """What is bound holds in this context, and in the tasks that it starts, for every manager of the process.

    Each verb but ``add_breadcrumb`` returns what ``with`` takes back at the end of its block.
    """

    def __init__(self, clock: Clock, max_breadcrumbs: int) -> None:
        self._clock = clock
        self._max_breadcrumbs = max_breadcrumbs

    def bind(self, **tags: object) -> scope.Bound:
        """Tag every event of this context from here on: ``errors.bind(order=17)``.

        As a context manager the tags end with the block. A task or thread that is started inherits them;
        what it binds itself stays its own.
        """
        found = Snapshot().scalars("tags", tags)
        return scope.change(tags={**scope.current().tags, **found})

    def set_user(self, user: Mapping[str, object] | str | int | None) -> scope.Bound:
        """Say who is being served, for every event of this context."""
        return scope.change(user=user)

    def set_request(self, request: Mapping[str, object] | None) -> scope.Bound:
        """Say what was asked for, for every event of this context."""
        return scope.change(request=request)

    def set_transaction(self, transaction: str | None) -> scope.Bound:
        """Name the route or job, without its arguments, for every event of this context."""
        return scope.change(transaction=transaction)

    def add_breadcrumb(
        self,
        message: str,
        *,
        category: str | None = None,
        level: str = "info",
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Leave a trail: what happened before an error of this context; the last ``max_breadcrumbs`` stay."""
        crumb = make_breadcrumb(message, at=self._clock(), category=category, level=level, data=data)
        kept = (*scope.current().breadcrumbs, crumb)
        scope.change(breadcrumbs=kept[max(0, len(kept) - self._max_breadcrumbs) :])
