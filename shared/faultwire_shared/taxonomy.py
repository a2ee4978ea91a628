"""Kinds of errors: the classes that services raise, and a registry for all others."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec

from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.memo import Memo


class Classification(msgspec.Struct, frozen=True, kw_only=True):
    """Meaning of an exception: its category, its stable code, its default HTTP status and severity.

    ``frank`` means that its own words and details are written for the caller.
    """

    category: Category
    code: str
    status: int
    severity: ErrorSeverity
    frank: bool = False


class CategorizedError(Exception):
    """Root of the exceptions that state their own kind.

    Subclass one of the five below and set ``code`` (SCREAMING_SNAKE, never changed once
    published), ``status`` or ``severity`` on the class::

        class OrderClosedError(BusinessError):
            code = "ORDER_CLOSED"
    """

    category: ClassVar[Category] = Category.SYSTEM
    code: str = "INTERNAL_ERROR"
    status: int = 500
    severity: ErrorSeverity = ErrorSeverity.HIGH

    def __init__(self, message: str = "", *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details: Mapping[str, Any] = details or {}


class FieldError(msgspec.Struct, frozen=True):
    """One rejected field of an input: its name, the reason, and the value given."""

    field: str
    message: str
    value: Any = None


class ValidationError(CategorizedError):
    """The input cannot be accepted; the caller is told each field and the reason."""

    category = Category.VALIDATION
    code = "VALIDATION_FAILED"
    status = 400
    severity = ErrorSeverity.LOW

    def __init__(
        self,
        message: str = "",
        *,
        errors: Sequence[FieldError] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message or "; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors: tuple[FieldError, ...] = tuple(errors)
        self.details: Mapping[str, Any] = {**_field_details(self.errors), **(details or {})}


def _field_details(errors: Sequence[FieldError]) -> dict[str, Any]:
    if not errors:
        return {}
    details: dict[str, Any] = {
        "errors": [msgspec.to_builtins(error, builtin_types=(object,)) for error in errors]
    }
    if len(errors) == 1:
        details |= {"field": errors[0].field, "value": errors[0].value}
    return details


class AuthenticationError(CategorizedError):
    """The caller is not authenticated (401). It gets a generic sentence; the attempt is logged."""

    category = Category.AUTHENTICATION
    code = "AUTHENTICATION_FAILED"
    status = 401
    severity = ErrorSeverity.MEDIUM
    challenge: str = "Bearer"
    """The ``WWW-Authenticate`` header of the answer."""


class AuthorizationError(AuthenticationError):
    """The caller is authenticated, but not allowed to do this (403)."""

    code = "PERMISSION_DENIED"
    status = 403


class BusinessError(CategorizedError):
    """A rule of the domain forbids it; the caller is told the rule in the exception's own words."""

    category = Category.BUSINESS
    code = "BUSINESS_RULE_VIOLATED"
    status = 422
    severity = ErrorSeverity.MEDIUM


class NotFoundError(BusinessError):
    """The requested thing does not exist."""

    code = "RESOURCE_NOT_FOUND"
    status = 404


class ConflictError(BusinessError):
    """The request conflicts with the present state."""

    code = "RESOURCE_CONFLICT"
    status = 409


class ExternalError(CategorizedError):
    """A dependency of this service failed; trying again may help."""

    category = Category.EXTERNAL
    code = "EXTERNAL_SERVICE_UNAVAILABLE"
    status = 503
    severity = ErrorSeverity.HIGH
    retry_after_seconds: int = 30
    """The ``Retry-After`` header of the answer."""


class DatabaseConnectionError(ExternalError):
    """The database cannot be reached, or the connection to it was lost."""

    code = "DATABASE_UNAVAILABLE"


class InternalError(CategorizedError):
    """This service itself failed. The caller gets a generic sentence, never internals."""


FRANK: Final = (Category.VALIDATION, Category.BUSINESS)
"""The categories of ours whose words a caller may read; the others hold internals."""

_REGISTRY: dict[str, Classification] = {}
_known: Memo[type[BaseException], Classification] = Memo()

DEFAULTS: Final[Mapping[Category, Classification]] = {
    error.category: Classification(
        category=error.category, code=error.code, status=error.status, severity=error.severity
    )
    for error in (ValidationError, AuthenticationError, BusinessError, ExternalError, InternalError)
}
"""Defaults of each category, unless an exception says more."""


def register_exception(
    exception: type[BaseException] | str,
    category: Category,
    *,
    code: str | None = None,
    status: int | None = None,
    severity: ErrorSeverity | None = None,
    frank: bool = False,
) -> None:
    """Define the meaning of an exception that is not ours; subclasses follow unless registered too.

    A class says nothing of whose input it is about: what a library raises for the fields of a form, it raises
    for an upstream's answer as well, with the values in its text. So a caller does not read that text.

    Args:
        exception: the class, or its qualified name (``"asyncpg.exceptions._base.PostgresError"``),
            which spares an import.
        category: decides status, severity and code if they are not given.
        code: for programs, never changed once published.
        status: of the answer by HTTP.
        severity: of the event.
        frank: the caller is shown the exception's own text: it is written for callers, wherever it is raised.
    """
    default = DEFAULTS[category]
    name = exception if isinstance(exception, str) else _qualified(exception)
    _REGISTRY[name] = Classification(
        category=category,
        code=code or default.code,
        status=status or default.status,
        severity=severity or default.severity,
        frank=frank,
    )
    _known.clear()


def classify(error: BaseException) -> Classification:
    """Classify an exception: by its own class attributes, else by the registry, else as system."""
    if isinstance(error, CategorizedError):
        return Classification(
            category=error.category,
            code=error.code,
            status=error.status,
            severity=error.severity,
            frank=error.category in FRANK,
        )
    known = _known.get(type(error))
    if known is None:
        known = _known[type(error)] = _look_up(type(error))
    return known


def _look_up(exception: type[BaseException]) -> Classification:
    for ancestor in exception.__mro__:
        found = _REGISTRY.get(_qualified(ancestor))
        if found is not None:
            return found
    return DEFAULTS[Category.SYSTEM]


def _qualified(exception: type[Any]) -> str:
    return f"{exception.__module__}.{exception.__qualname__}"


for _name in (
    "builtins.ConnectionError",
    "builtins.TimeoutError",
    "socket.gaierror",
    "ssl.SSLError",
    "aiohttp.client_exceptions.ClientError",
    "requests.exceptions.RequestException",
    "httpx.TransportError",
    "httpx.HTTPStatusError",
    "aiormq.exceptions.AMQPConnectionError",
    "redis.exceptions.ConnectionError",
    "redis.exceptions.TimeoutError",
):
    register_exception(_name, Category.EXTERNAL)
for _name in (
    "asyncpg.exceptions.PostgresConnectionError",
    "asyncpg.exceptions.CannotConnectNowError",
    "asyncpg.exceptions.TooManyConnectionsError",
    "asyncpg.exceptions.AdminShutdownError",
    "psycopg.OperationalError",
    "psycopg2.OperationalError",
    "sqlalchemy.exc.OperationalError",
    "sqlalchemy.exc.InterfaceError",
    "django.db.utils.OperationalError",
    "django.db.utils.InterfaceError",
    "pymysql.err.OperationalError",
    "MySQLdb.OperationalError",
    "MySQLdb._exceptions.OperationalError",
    "asyncmy.errors.OperationalError",
    "mysql.connector.errors.OperationalError",
):
    register_exception(_name, Category.EXTERNAL, code=DatabaseConnectionError.code)
# Below those of the other side's, and mistakes of this one: nobody was asked, or asked in a way that no
# second try mends.
for _name in (
    "aiohttp.client_exceptions.InvalidURL",
    "httpx.LocalProtocolError",
    "httpx.UnsupportedProtocol",
    "requests.exceptions.InvalidHeader",
    "requests.exceptions.InvalidJSONError",
    "requests.exceptions.InvalidSchema",
    "requests.exceptions.InvalidURL",
    "requests.exceptions.MissingSchema",
    "requests.exceptions.URLRequired",
):
    register_exception(_name, Category.SYSTEM)
register_exception(
    "builtins.MemoryError", Category.SYSTEM, code="OUT_OF_MEMORY", severity=ErrorSeverity.CRITICAL
)
register_exception("builtins.OSError", Category.SYSTEM, code="OPERATING_SYSTEM_ERROR")
