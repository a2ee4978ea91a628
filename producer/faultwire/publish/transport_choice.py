"""The choice of a transport by its URL."""

import os
from collections.abc import Callable

from faultwire.options import AMQP_SCHEMES, check_token, scheme_of
from faultwire.publish.credential import Credential
from faultwire.publish.transport import Transport
from faultwire_shared.tls.files import NO_FILES, TlsFiles, secured_of, with_files


def transport_for(
    url: str | None,
    service: str,
    *,
    token: str | os.PathLike[str] | None = None,
    tls: TlsFiles = NO_FILES,
) -> Callable[[], Transport] | None:
    """Choose the URL's transport, which is loaded when it is first made; None without a URL.

    Args:
        url: where to publish.
        service: who publishes.
        token: is shown to a worker's intake; a broker has users of its own.
        tls: the files that an encrypted address may need.

    Raises:
        ValueError: the URL, the files of TLS or the token cannot be used.
    """
    if url is None:
        return None
    amqp, secured = scheme_of(url) in AMQP_SCHEMES, with_files(url, tls)
    if not amqp:
        secured_of(secured)
    check_token(url, token)
    credential = None if amqp or token is None else Credential(token)

    def make() -> Transport:
        # The libraries are imported by the first publisher, not by `import faultwire`.
        if amqp:
            from faultwire.publish.transport_amqp import AmqpTransport  # noqa: PLC0415 - as above

            return AmqpTransport(secured, app_id=service, name=f"faultwire producer {service}")
        from faultwire.publish.transport_http import HttpTransport  # noqa: PLC0415 - as above

        return HttpTransport(secured, credential)

    return make
