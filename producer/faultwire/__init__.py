"""faultwire's client: hand exceptions to an ``ErrorManager``; events arrive at the worker."""

from typing import TYPE_CHECKING, Any, Final

from faultwire.manager import ErrorManager
from faultwire.queue.ticket import FinalState
from faultwire.response.response import ErrorResponse
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

if TYPE_CHECKING:
    from faultwire.sync import SyncErrorManager
    from faultwire_shared.health import HealthChecker
    from faultwire_shared.logging.logs import configure_logging
    from faultwire_shared.resilience.circuit import CircuitState
    from faultwire_shared.resilience.circuit_breaker import CircuitBreaker, CircuitChange, CircuitOpenError
    from faultwire_shared.resilience.retry_db import retry_db_operation
    from faultwire_shared.resilience.retry_http import create_robust_session

__all__ = [
    "AuthenticationError",
    "AuthorizationError",
    "BusinessError",
    "CategorizedError",
    "Category",
    "CircuitBreaker",
    "CircuitChange",
    "CircuitOpenError",
    "CircuitState",
    "ConflictError",
    "DatabaseConnectionError",
    "ErrorManager",
    "ErrorResponse",
    "ErrorSeverity",
    "ExternalError",
    "FieldError",
    "FinalState",
    "HealthChecker",
    "InternalError",
    "NotFoundError",
    "SyncErrorManager",
    "ValidationError",
    "__version__",
    "configure_logging",
    "create_robust_session",
    "register_exception",
    "retry_db_operation",
]

_LAZY: Final = {
    "CircuitBreaker": "faultwire_shared.resilience.circuit_breaker",
    "CircuitChange": "faultwire_shared.resilience.circuit_breaker",
    "CircuitOpenError": "faultwire_shared.resilience.circuit_breaker",
    "CircuitState": "faultwire_shared.resilience.circuit",
    "HealthChecker": "faultwire_shared.health",
    "SyncErrorManager": "faultwire.sync",
    "configure_logging": "faultwire_shared.logging.logs",
    "create_robust_session": "faultwire_shared.resilience.retry_http",
    "retry_db_operation": "faultwire_shared.resilience.retry_db",
}
"""Names that bring aiohttp, asyncio or structlog along, which `import faultwire` does without (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only who asks for such a name pays for it

    value = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
