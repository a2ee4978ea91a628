"""Settings of the gateway: whether foreign SDKs may report here, and what is kept on disk for them."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ByteSize, Field

SPOOL_BYTES: Final = 256 * 1024 * 1024
SPOOL_EVENTS: Final = 100_000


class GatewaySettings(BaseModel):
    """The part of the configuration that is about SDKs made for Sentry and for OpenTelemetry."""

    gateway: bool = True
    """Take what they send, on the port of everything else."""
    gateway_spool_path: Path | None = None
    """Directory of what was answered while broker or database took nothing; by default one of this user's.

    It has to outlive the process. Gateways on one machine may share it, and inherit from each other.
    """
    gateway_spool_bytes: ByteSize = Field(default=ByteSize(SPOOL_BYTES), ge=4 * 1024 * 1024)
    """Disk space that it may take; when it is full, SDKs are told to wait (429)."""
    gateway_spool_events: int = Field(default=SPOOL_EVENTS, ge=100, le=10_000_000)
    """Events that it may hold."""
