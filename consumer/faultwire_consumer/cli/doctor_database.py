"""The database as `faultwire doctor` finds it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from faultwire_consumer.cli.doctor_certificate import look_at_database
from faultwire_consumer.cli.fault import Examined, Fault, FaultCode
from faultwire_shared.failure import ConfigurationError, UnavailableError
from faultwire_shared.redact import redact_url

if TYPE_CHECKING:
    from faultwire_consumer.config import WorkerConfig
    from faultwire_consumer.store.examination import Examination

SKEW: Final = timedelta(seconds=30)
"""The most by which two clocks may differ without a word."""
_UPGRADE: Final = "faultwire db upgrade"
_TRUST: Final = (
    "name the authority by database_ca_file, the worker's own certificate by database_certificate_file and "
    "database_key_file, and the host as the server's certificate does"
)
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
        if "certificate" in str(error) or "TLS" in str(error):
            return Examined("database", shown, (Fault(FaultCode.CERTIFICATE_REFUSED, str(error), _TRUST),))
        mend = "start the server, or correct the host and port in database_url (FAULTWIRE_DATABASE_URL)"
        if config.database_url.startswith("sqlite"):
            mend = "correct the path in database_url, or bring a copy back that faultwire db backup made"
        return Examined("database", shown, (Fault(FaultCode.DATABASE_UNREACHABLE, str(error), mend),))
    certificate = await look_at_database(config.database_url)
    faults = (*_faults_of(examined, config, is_running=is_running), *certificate.faults)
    schema = "" if examined.missing_rights else f", schema {examined.current or 'to be made'}"
    told = f"{shown}{schema}{certificate.told}"
    return Examined("database", told, faults)


def _faults_of(examined: "Examination", config: "WorkerConfig", *, is_running: bool) -> Iterator[Fault]:
    if examined.missing_rights:
        cause = "the role may not do in the database what a worker does"
        yield Fault(
            FaultCode.DATABASE_RIGHTS, cause, f"let the owner of the tables run: {examined.missing_rights}"
        )
        return
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
