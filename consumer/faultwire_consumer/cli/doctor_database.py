"""The database as `faultwire doctor` finds it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from faultwire_consumer.cli.fault import Examined, Fault, FaultCode
from faultwire_shared.failure import ConfigurationError, UnavailableError
from faultwire_shared.redact import redact_url

if TYPE_CHECKING:
    from faultwire_consumer.config import WorkerConfig
    from faultwire_consumer.store.examination import Examination

SKEW: Final = timedelta(seconds=30)
"""The most by which two clocks may differ without a word."""
_UPGRADE: Final = "faultwire db upgrade"
_INVITE: Final = "faultwire access invite NAME --role admin"


async def examine_store(config: "WorkerConfig", *, is_running: bool) -> Examined:
    """Look at the database.

    Args:
        config: names it.
        is_running: a worker answers here, and a SQLite file is rightly its own.
    """
    from faultwire_consumer.store.contract.store import StoreRefusedError  # noqa: PLC0415 - loads SQLAlchemy
    from faultwire_consumer.store.examination import examine_database  # noqa: PLC0415 - as above

    shown = redact_url(config.database_url)
    try:
        examined = await examine_database(config.database_url)
    except StoreRefusedError as error:
        mend = "correct user, password or database in database_url (FAULTWIRE_DATABASE_URL), or make them"
        return Examined("database", shown, (Fault(FaultCode.DATABASE_REFUSED, str(error), mend),))
    except (UnavailableError, OSError, ConfigurationError) as error:
        mend = "start the server, or correct the host and port in database_url (FAULTWIRE_DATABASE_URL)"
        if config.database_url.startswith("sqlite"):
            mend = "correct the path in database_url, or bring a copy back that faultwire db backup made"
        return Examined("database", shown, (Fault(FaultCode.DATABASE_UNREACHABLE, str(error), mend),))
    faults = tuple(_faults_of(examined, config, is_running=is_running))
    return Examined("database", f"{shown}, schema {examined.current or 'to be made'}", faults)


def _faults_of(examined: "Examination", config: "WorkerConfig", *, is_running: bool) -> Iterator[Fault]:
    is_sqlite = config.database_url.startswith("sqlite")
    if examined.read_only:
        mend = "mount the disk for writing, or give the worker's user the folder (chown)"
        if not is_sqlite:
            mend = "name the primary in database_url; database_read_url is for a standby"
        yield Fault(FaultCode.DATABASE_READ_ONLY, examined.read_only, mend)
    if examined.is_taken and not is_running:
        cause = "another process has the SQLite file, and no worker answers at this configuration's address"
        mend = "end that process (fuser FILE.lock names it), or give each worker a database of its own"
        yield Fault(FaultCode.DATABASE_TAKEN, cause, mend)
    yield from _schema_faults(examined, is_sqlite=is_sqlite)
    if examined.server_time is not None and examined.our_time is not None:
        skew = examined.our_time - examined.server_time
        if abs(skew) > SKEW:
            yield skew_fault("the database's", skew)
    if config.access == "login" and examined.has_account is False:
        yield Fault(FaultCode.NO_ACCOUNT, "access is login, and nobody has an account", _INVITE)


def _schema_faults(examined: "Examination", *, is_sqlite: bool) -> Iterator[Fault]:
    """The faults of a schema; a worker upgrades a SQLite file by itself."""
    if not examined.schema_mend:
        return
    if examined.current is not None and examined.current > examined.head:
        mend = "pip install --upgrade 'faultwire[consumer]'"
        yield Fault(FaultCode.SCHEMA_NEWER, examined.schema_mend, mend)
    elif not is_sqlite:
        code = FaultCode.SCHEMA_MISSING if examined.current is None else FaultCode.SCHEMA_BEHIND
        yield Fault(code, examined.schema_mend, _UPGRADE)


def skew_fault(whose: str, skew: timedelta) -> Fault:
    """A clock that differs from this machine's by so much."""
    seconds = skew.total_seconds()
    cause = f"this machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} {whose}"
    return Fault(FaultCode.CLOCK_SKEW, cause, "keep both clocks by NTP: timedatectl set-ntp true")
