"""Addresses that lead out as `faultwire doctor` finds them: of source, of issues, and of the heartbeat."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from faultwire_consumer.cli.fault import Examined, Fault, FaultCode

if TYPE_CHECKING:
    from faultwire_consumer.config import WorkerConfig


def examine_heartbeat(config: "WorkerConfig") -> Examined:
    """Say who listens for a sign of life; asking there would be one, so nobody is asked."""
    host = None if config.heartbeat_url is None else urlsplit(config.heartbeat_url).hostname
    if host is None:
        return Examined("heartbeat", "none: nobody notices a worker that stands still (heartbeat_url)")
    return Examined("heartbeat", f"every {config.heartbeat_seconds} s to {host}, unless something is stuck")


def examine_links(config: "WorkerConfig") -> Examined:
    """Say where source and issues are, and whether what others open leads back here."""
    sources, tracker = config.sources, config.tracker
    hosts = {one.host for one in (sources.usual, *sources.services.values()) if one is not None}
    told = f"source at {', '.join(sorted(hosts))}" if hosts else "none to source"
    told += f", issues at {tracker.host}" if tracker is not None else ", none to a tracker"
    faults: tuple[Fault, ...] = ()
    if tracker is not None and "link" in tracker.fields and not config.is_open and config.public_url is None:
        cause = "tracker_link fills in {link}, and public_url is not set: an issue would name any address"
        mend = "set public_url to where people reach the page, as https://errors.example.com"
        faults = (Fault(FaultCode.PUBLIC_URL_MISSING, cause, mend),)
    return Examined("links", told, faults)
