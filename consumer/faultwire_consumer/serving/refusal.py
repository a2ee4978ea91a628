"""Reasons not to take a request in: each is told to its sender, and none is a fault of the worker."""

from faultwire_shared.taxonomy import ExternalError, ValidationError


class ClientGoneError(Exception):
    """The client hung up before its request was whole: there is nobody left to answer."""


class MalformedBodyError(ValidationError):
    """The body is not JSON at all; nothing of it is kept, and the sender is told."""

    code = "MALFORMED_BODY"


class BodyTooLargeError(ValidationError):
    """The body is larger than a message may be."""

    code = "BODY_TOO_LARGE"
    status = 413


class TooManyEventsError(ValidationError):
    """The body holds more events than a message may; nothing of it is kept, and the sender is told."""

    code = "TOO_MANY_EVENTS"
    status = 413


class BodyTooSlowError(ValidationError):
    """The body did not arrive in time."""

    code = "BODY_TOO_SLOW"
    status = 408


class UnsupportedMediaTypeError(ValidationError):
    """The body is not sent as JSON, or in an unknown encoding."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class AnnouncedError(ExternalError):
    """The worker takes nothing now and says so, also in its log and by ``/readyz``: no fault of its own."""


class WorkerBusyError(AnnouncedError):
    """More requests are being taken in than the worker has room for; this one can be sent again."""

    code = "WORKER_BUSY"
    retry_after_seconds: int = 2
