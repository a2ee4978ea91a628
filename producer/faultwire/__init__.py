"""faultwire's client: hand exceptions to an ``ErrorManager``; events arrive at the worker."""

from faultwire.manager import ErrorManager
from faultwire.publish.ticket import FinalState
from faultwire.response import ErrorResponse
from faultwire_shared import __version__
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.taxonomy import (
    AuthenticationError,
    AuthorizationError,
    BusinessError,
    CategorizedError,
    ConflictError,
    DatabaseConnectionError,
    ExternalError,
    FieldError,
    InternalError,
    NotFoundError,
    ValidationError,
    register_exception,
)

__all__ = [
    "AuthenticationError",
    "AuthorizationError",
    "BusinessError",
    "CategorizedError",
    "Category",
    "ConflictError",
    "DatabaseConnectionError",
    "ErrorManager",
    "ErrorResponse",
    "ErrorSeverity",
    "ExternalError",
    "FieldError",
    "FinalState",
    "InternalError",
    "NotFoundError",
    "ValidationError",
    "__version__",
    "register_exception",
]
