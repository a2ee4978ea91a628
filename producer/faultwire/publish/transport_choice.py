"""The choice of a transport by its URL."""

from collections.abc import Callable

from faultwire.options import AMQP_SCHEMES, scheme_of
from faultwire.publish.transport import Transport


def transport_for(url: str | None, service: str) -> Callable[[], Transport] | None:
    """Choose the URL's transport, which is loaded when it is first made; None without a URL.

    Raises:
        ValueError: the URL cannot be used.
    """
    if url is None:
        return None
    amqp = scheme_of(url) in AMQP_SCHEMES

    def make() -> Transport:
        # The libraries are imported by the first publisher, not by `import faultwire`.
        if amqp:
            from faultwire.publish.transport_amqp import AmqpTransport  # noqa: PLC0415 - as above

            return AmqpTransport(url, app_id=service, name=f"faultwire producer {service}")
        from faultwire.publish.transport_http import HttpTransport  # noqa: PLC0415 - as above

        return HttpTransport(url)

    return make
