"""Settings of the heartbeat: where somebody listens for a sign of life, and how often there is one."""

from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

HEARTBEAT_SECONDS: Final = 60


class HeartbeatSettings(BaseModel):
    """The part of a worker's configuration that says who is to notice its silence."""

    heartbeat_url: str | None = Field(default=None, repr=False)
    """An address that is asked for while events come in and notifications go out, and no longer when not."""
    heartbeat_seconds: int = Field(default=HEARTBEAT_SECONDS, ge=5, le=86_400)
    """Time between two heartbeats; who listens should be patient for twice as long."""

    @field_validator("heartbeat_url")
    @classmethod
    def _check_heartbeat_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        text = value.strip()
        try:
            parts = urlsplit(text)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = False
        if not fits or not text.isprintable():
            # Without the value: its path is usually a secret.
            raise ValueError("write an address with a host, as https://hc-ping.example/your-id")
        return text
