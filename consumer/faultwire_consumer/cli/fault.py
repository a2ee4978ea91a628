"""Faults that `faultwire doctor` finds: codes that stay, each with its cause and what mends it."""

from enum import StrEnum

from msgspec import Struct


class FaultCode(StrEnum):
    """A stable name of a fault, for scripts and for the guide."""

    CONFIG_UNUSABLE = "CONFIG_UNUSABLE"
    DATABASE_UNREACHABLE = "DATABASE_UNREACHABLE"
    DATABASE_REFUSED = "DATABASE_REFUSED"
    DATABASE_RIGHTS = "DATABASE_RIGHTS"
    DATABASE_READ_ONLY = "DATABASE_READ_ONLY"
    DATABASE_TAKEN = "DATABASE_TAKEN"
    SCHEMA_MISSING = "SCHEMA_MISSING"
    SCHEMA_BEHIND = "SCHEMA_BEHIND"
    SCHEMA_NEWER = "SCHEMA_NEWER"
    NO_ACCOUNT = "NO_ACCOUNT"
    BROKER_UNREACHABLE = "BROKER_UNREACHABLE"
    BROKER_LOGIN_REFUSED = "BROKER_LOGIN_REFUSED"
    BROKER_VHOST_REFUSED = "BROKER_VHOST_REFUSED"
    BROKER_REFUSED = "BROKER_REFUSED"
    CERTIFICATE_REFUSED = "CERTIFICATE_REFUSED"
    CERTIFICATE_ENDS = "CERTIFICATE_ENDS"
    QUEUE_MISSING = "QUEUE_MISSING"
    QUEUE_DIFFERS = "QUEUE_DIFFERS"
    RULES_BROKEN = "RULES_BROKEN"
    PORT_TAKEN = "PORT_TAKEN"
    ADDRESS_UNUSABLE = "ADDRESS_UNUSABLE"
    WORKER_NOT_READY = "WORKER_NOT_READY"
    CLOCK_SKEW = "CLOCK_SKEW"
    SPOOL_UNREADABLE = "SPOOL_UNREADABLE"
    SPOOL_DEAD_FILES = "SPOOL_DEAD_FILES"
    SPOOL_DAMAGED = "SPOOL_DAMAGED"
    PUBLIC_URL_MISSING = "PUBLIC_URL_MISSING"
    DISK_NEARLY_FULL = "DISK_NEARLY_FULL"


class Fault(Struct, frozen=True):
    """One fault: its cause on a line, and the command or the change that mends it."""

    code: FaultCode
    cause: str
    mend: str


class Examined(Struct, frozen=True):
    """One thing that was looked at, in a few words, with the faults that were found."""

    what: str
    told: str
    faults: tuple[Fault, ...] = ()
