"""Sends through the library Apprise, an extra, in threads of its own: it blocks, and knows no event loop.

Apprise opens its connections itself. So the check of addresses does not hold for it, nor do the bounds of
answers: what it may be used for is bounded by the schemes that are allowed.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from faultwire_consumer.notify.message import message_of
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, SendReason, Sent, Transient
from faultwire_consumer.notify.senders.surface import as_it_is, fit_bytes, fit_quietly, headline_of
from faultwire_shared.event import ErrorSeverity

if TYPE_CHECKING:
    import apprise

SEND_SECONDS: Final = 10.0
"""Limit of one attempt."""
SOCKET_SECONDS: Final = 8.0
"""Limit of each connection and read inside it, so that no thread is kept by a receiver that is silent."""
THREADS: Final = 2
TITLE_CHARACTERS: Final = 150
BODY_BYTES: Final = 4000
LINE_CHARACTERS: Final = 500
EXTRA: Final = "pip install 'faultwire[apprise]'"

# Libraries that write addresses, and so secrets, into their log lines. Nothing else in a worker uses them.
_TALKATIVE: Final = ("apprise", "requests", "urllib3")
_TYPES: Final = {
    ErrorSeverity.CRITICAL: "failure",
    ErrorSeverity.HIGH: "failure",
    ErrorSeverity.MEDIUM: "warning",
    ErrorSeverity.LOW: "info",
}


class AppriseSender:
    """Sends to one address of Apprise's.

    Args:
        name: its name in rules and history.
        url: the address; never shown.
        send_seconds: limit of one attempt.

    Raises:
        ValueError: Apprise is not installed, or cannot use the address; the text does not hold it.
    """

    def __init__(self, name: str, url: str, *, send_seconds: float = SEND_SECONDS) -> None:
        self.name = name
        self._send_seconds = send_seconds
        self._apprise = _open(url)
        self._threads: ThreadPoolExecutor | None = None

    async def send(self, notification: Notification) -> Outcome:
        """Send once. Apprise says only whether that went well, so a failure is worth another attempt."""
        sending = asyncio.get_running_loop().run_in_executor(self._executor(), self._notify, notification)
        try:
            async with asyncio.timeout(self._send_seconds):
                sent = await sending
        except TimeoutError:
            return Transient(SendReason.TIMEOUT, f"Apprise did not end within {self._send_seconds:g} s")
        except Exception as error:  # noqa: BLE001 - any of a hundred services' own, whose text may hold secrets
            return Transient(SendReason.RECEIVER_FAILED, f"Apprise failed: {type(error).__name__}")
        return Sent() if sent else Transient(SendReason.RECEIVER_FAILED, "Apprise could not send it")

    async def aclose(self) -> None:
        """Let the threads go; what runs in them ends by its own limits."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    def _executor(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="faultwire-apprise")
        return self._threads

    def _notify(self, notification: Notification) -> bool:
        calm = partial(fit_quietly, escape=as_it_is)
        lines = message_of(notification).text.splitlines()
        body = "\n".join(calm(line, LINE_CHARACTERS) for line in lines)
        return bool(
            self._apprise.notify(
                title=calm(headline_of(notification), TITLE_CHARACTERS),
                body=_within(body),
                notify_type=_TYPES[notification.severity],
                body_format="text",
                timeout=self._send_seconds,
            )
        )


def _within(body: str) -> str:
    # Apprise escapes for each service by itself; only the length is bounded here.
    return fit_bytes(body, BODY_BYTES)


def _open(url: str) -> "apprise.Apprise":
    try:
        import apprise  # noqa: PLC0415 - an extra, and long to load
    except ImportError:
        raise ValueError(f"it needs the extra: {EXTRA}") from None
    for name in _TALKATIVE:
        _silence(logging.getLogger(name))
    asset = apprise.AppriseAsset(**_SETTINGS)
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise ValueError("Apprise cannot use the address")
    service.socket_connect_timeout = min(float(service.socket_connect_timeout or 0) or 4.0, SOCKET_SECONDS)
    service.socket_read_timeout = min(float(service.socket_read_timeout or 0) or 4.0, SOCKET_SECONDS)
    opened = apprise.Apprise(asset=asset)
    opened.add(service)
    return opened


def _silence(logger: logging.Logger) -> None:
    logger.setLevel(logging.CRITICAL + 10)
    logger.propagate = False


_SETTINGS: Final[dict[str, Any]] = {
    "app_id": "faultwire",
    "app_desc": "faultwire",
    # No code is loaded from a directory, nothing is kept on the disk, and no file is read as a template.
    "plugin_paths": [],
    "storage_mode": "memory",
    "allow_templates": False,
    "secure_logging": True,
    "service_timeout": SEND_SECONDS,
}
