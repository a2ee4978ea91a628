"""Which transport and which spool a manager's settings mean; both are imported when they are first made."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from faultwire.options import AMQP_SCHEMES, scheme_of
from faultwire.publish.transport import Transport
from faultwire.queue.buffer import Buffer

if TYPE_CHECKING:
    from faultwire.queue.spool import Spool


def transport_for(url: str | None, service: str) -> Callable[[], Transport] | None:
    """What makes the URL's transport; None without a URL."""
    if url is None:
        return None
    amqp = scheme_of(url) in AMQP_SCHEMES

    def make() -> Transport:
        # The libraries are imported by the first publisher, not by `import faultwire`.
        if amqp:
            from faultwire.publish.transport_amqp import AmqpTransport  # noqa: PLC0415 - see above

            return AmqpTransport(url, app_id=service, name=f"faultwire producer {service}")
        from faultwire.publish.transport_http import HttpTransport  # noqa: PLC0415 - see above

        return HttpTransport(url)

    return make


def spool_path_for(path: str | os.PathLike[str] | None, url: str | None, service: str) -> str | None:
    """The spool's directory; None without a URL or a path of one's own, and for an empty path."""
    if path is None and url is not None:
        from faultwire.queue.directory import default_spool_path  # noqa: PLC0415 - loaded with the spool

        return default_spool_path(os.environ, service)
    return os.fspath(path) if path else None


def spool_for(directory: str | None, service: str, size: int) -> "Callable[[Buffer], Spool] | None":
    """What makes the spool; None without a directory."""
    if directory is None:
        return None

    def make(buffer: Buffer) -> "Spool":
        # SQLite is loaded by the first manager that has a spool, not by `import faultwire`.
        from faultwire.queue.file import SpoolLimit  # noqa: PLC0415
        from faultwire.queue.spool import Spool  # noqa: PLC0415 - see above

        return Spool(directory, service, buffer, limit=SpoolLimit(bytes=size))

    return make
