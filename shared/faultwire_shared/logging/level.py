"""The level at which a severity is logged, by services and workers alike."""

import logging
from collections.abc import Mapping
from typing import Final

from faultwire_shared.event import ErrorSeverity

LEVELS: Final[Mapping[ErrorSeverity, int]] = {
    ErrorSeverity.LOW: logging.INFO,
    ErrorSeverity.MEDIUM: logging.WARNING,
    ErrorSeverity.HIGH: logging.ERROR,
    ErrorSeverity.CRITICAL: logging.CRITICAL,
}
