"""Settings of a process's end: how long it goes on serving after it said that it is no longer ready."""

import re
from typing import Any, Final

from pydantic import BaseModel, Field, field_validator

DRAIN_DELAY_MOST: Final = 60.0
_SECONDS: Final = re.compile(r"(\d{1,4}(?:\.\d{1,3})?) ?s", re.ASCII)


class EndSettings(BaseModel):
    """The part of the configuration that is about the moment between SIGTERM and the drain."""

    drain_delay: float = Field(default=0.0, ge=0, le=DRAIN_DELAY_MOST, allow_inf_nan=False)
    """Seconds, as ``5`` or ``5s``, in which balancers that ask ``/readyz`` learn to send nobody here."""

    @field_validator("drain_delay", mode="before")
    @classmethod
    def _read_drain_delay(cls, value: Any) -> Any:
        match = _SECONDS.fullmatch(value.strip()) if isinstance(value, str) else None
        return match[1] if match else value
