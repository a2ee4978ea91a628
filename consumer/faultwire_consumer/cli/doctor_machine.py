"""This machine as `faultwire doctor` finds it: rules, the HTTP address, clocks, spools and disks."""

import errno
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from faultwire_consumer.cli.doctor_database import SKEW, skew_fault
from faultwire_consumer.cli.fault import Examined, Fault, FaultCode
from faultwire_consumer.cli.unit import spell_bytes
from faultwire_shared.clock import utc_now
from faultwire_shared.failure import ConfigurationError, UnavailableError
from faultwire_shared.tls.context import TlsFileError, make_context, make_server_context
from faultwire_shared.tls.files import NO_FILES

if TYPE_CHECKING:
    from faultwire_consumer.config import WorkerConfig

_SECONDS: Final = 3.0
_ANSWER_BYTES: Final = 65_536
_FREE_SHARE: Final = 0.05
_FREE_BYTES: Final = 64 * 1024 * 1024
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


class HttpAddress(Struct, frozen=True):
    """The HTTP address, and whether a worker answers there."""

    is_ours: bool
    examined: Examined


def examine_rules(config: "WorkerConfig") -> Examined:
    """Read the rules with their secrets, as a worker does at its start."""
    from faultwire_consumer.notify.policy_file import read_policy  # noqa: PLC0415 - for this command alone
    from faultwire_consumer.notify.senders.build import senders_of  # noqa: PLC0415 - loads aiohttp
    from faultwire_consumer.notify.senders.worded import template_faults  # noqa: PLC0415 - loads jinja2

    shown = str(config.rules or "those that are shipped")
    try:
        policy = read_policy(config.rules)
        broken = template_faults(senders_of(policy, clock=utc_now))
    except (ConfigurationError, OSError) as error:
        mend = f"correct the file, then faultwire rules check {config.rules or 'FILE'}"
        return Examined("rules", shown, (Fault(FaultCode.RULES_BROKEN, str(error), mend),))
    mend = "correct the template; the built-in one stands in until then"
    faults = tuple(Fault(FaultCode.RULES_BROKEN, f"{name}: {why}", mend) for name, why in broken.items())
    if faults:
        return Examined("rules", shown, faults)
    return Examined("rules", f"{shown}: {len(policy.rules)} rules, {len(policy.receivers)} receivers")


def examine_address(config: "WorkerConfig") -> HttpAddress:
    """Ask the address for a worker, else see that one could listen there."""
    host = "127.0.0.1" if config.http_host in _EVERYWHERE else config.http_host.strip("[]")
    shown = f"{config.http_host}:{config.http_port}"
    try:
        status, report, clock = _ask(host, config.http_port, is_encrypted=config.http_tls is not None)
    except (OSError, HTTPException, ValueError):
        status, report, clock = 0, None, None
    if not _is_worker(report):
        found = (*_certificate(config), *_bind(config))
        return HttpAddress(is_ours=False, examined=Examined("http", f"{shown} is free", found))
    faults = list(_certificate(config))
    if status != 200:
        checks = [one for one in report["checks"] if one.get("status") == "fail"]
        cause = "; ".join(f"{one.get('name')}: {one.get('error')}" for one in checks) or "not ready"
        mend = "mend what it names; faultwire health asks again, and the worker's log has the history"
        faults.append(Fault(FaultCode.WORKER_NOT_READY, cause, mend))
    faults += _older_rules(report)
    if clock is not None and abs(skew := datetime.now(UTC) - clock) > SKEW:
        faults.append(skew_fault("the worker's", skew))
    return HttpAddress(is_ours=True, examined=Examined("http", f"a worker answers at {shown}", tuple(faults)))


def _certificate(config: "WorkerConfig") -> Iterator[Fault]:
    """Yield a fault where the certificate that visitors are to be shown cannot be used."""
    if config.http_tls is not None:
        try:
            make_server_context(config.http_tls)
        except TlsFileError as error:
            mend = "correct http_certificate_file and http_key_file; a worker that runs shows the one before"
            yield Fault(FaultCode.CERTIFICATE_REFUSED, str(error), mend)


def _older_rules(report: Any) -> Iterator[Fault]:
    """Yield a fault where the worker goes on with the rules of before, since their file cannot be used."""
    for one in report["checks"]:
        if one.get("name") == "rules" and one.get("status") == "warn":
            mend = "correct the file: the worker reads it again by itself"
            yield Fault(FaultCode.RULES_BROKEN, f"the worker uses older rules: {one.get('error')}", mend)


def examine_spool(path: Path | None) -> Examined:
    """Look for what dead processes left on this machine's disk."""
    from faultwire.publish.spool_overview import (  # noqa: PLC0415 - for this command alone
        find_spools,
        services_in,
        summarize,
    )

    try:
        found = [
            summarize(directory, service)
            for directory in find_spools(path, os.environ)
            for service in services_in(directory)
        ]
    except (UnavailableError, OSError) as error:
        mend = "run this as the service's user, or name the directory by --spool-path"
        return Examined("spool", "unreadable", (Fault(FaultCode.SPOOL_UNREADABLE, str(error), mend),))
    faults = []
    for one in found:
        if one.files > one.owned:
            cause = f"{one.service}: {one.files - one.owned} files in {one.path} have no living owner"
            mend = f"faultwire spool drain --service {one.service} --path {one.path}"
            faults.append(Fault(FaultCode.SPOOL_DEAD_FILES, cause, mend))
        if one.quarantined:
            cause = f"{one.service}: {one.quarantined} damaged files are kept in {one.path}"
            mend = "what could be read of them was published; keep them for us, or delete *.corrupt-*"
            faults.append(Fault(FaultCode.SPOOL_DAMAGED, cause, mend))
    return Examined("spool", f"{len(found)} services, nothing left behind", tuple(faults))


def examine_disks(config: "WorkerConfig", spool_path: Path | None) -> Examined:
    """Look at the room that is left where something is written."""
    faults, told = [], []
    for what, folder in _folders(config, spool_path):
        usage = disk_usage(folder)
        told.append(f"{spell_bytes(usage.free)} free for the {what}")
        if usage.free < min(_FREE_BYTES, usage.total // 2) or usage.free < usage.total * _FREE_SHARE:
            cause = f"{spell_bytes(usage.free)} of {spell_bytes(usage.total)} are free in {folder} ({what})"
            mend = "make room, set retention_bytes, or faultwire db prune --older-than 30d"
            faults.append(Fault(FaultCode.DISK_NEARLY_FULL, cause, mend))
    return Examined("disk", ", ".join(told) or "nothing is written here", tuple(faults))


def _folders(config: "WorkerConfig", spool_path: Path | None) -> Iterator[tuple[str, Path]]:
    from faultwire_consumer.store.examination import file_of  # noqa: PLC0415 - loads SQLAlchemy

    database = file_of(config.database_url)
    if database is not None and database.resolve().parent.is_dir():
        yield "database", database.resolve().parent
    given = spool_path or os.environ.get("FAULTWIRE_SPOOL_PATH")
    if given and Path(given).is_dir():
        yield "spool", Path(given)


def _ask(host: str, port: int, *, is_encrypted: bool) -> tuple[int, Any, datetime | None]:
    connection = HTTPConnection(host, port, timeout=_SECONDS)
    if is_encrypted:
        # On this very machine, by its address: whose name the certificate has is not asked here.
        trusting = make_context(NO_FILES, verifies=False)
        connection = HTTPSConnection(host, port, timeout=_SECONDS, context=trusting)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost", "Accept": "application/json"})
        answer = connection.getresponse()
        date = answer.getheader("Date")
        clock = parsedate_to_datetime(date) if date else None
        return answer.status, json.loads(answer.read(_ANSWER_BYTES)), clock
    finally:
        connection.close()


def _is_worker(report: Any) -> bool:
    return isinstance(report, dict) and isinstance(report.get("checks"), list) and "status" in report


def _bind(config: "WorkerConfig") -> Iterator[Fault]:
    host = config.http_host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, config.http_port))
        except OSError as error:
            shown = f"{config.http_host}:{config.http_port}"
            if error.errno == errno.EADDRINUSE:
                cause = f"another program listens on {shown}"
                mend = f"end it (ss -ltnp 'sport = :{config.http_port}' names it), or set http_port"
                yield Fault(FaultCode.PORT_TAKEN, cause, mend)
            else:
                cause = f"nobody here can listen on {shown}: {error.strerror or error}"
                mend = "set http_host and http_port to an address of this machine"
                yield Fault(FaultCode.ADDRESS_UNUSABLE, cause, mend)
