"""The origin of records: all that their resource says of them."""

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from faultwire_consumer.gateway.otlp.left import Left
from faultwire_consumer.gateway.otlp.record import Attributes
from faultwire_consumer.gateway.otlp.result import OtlpContext
from faultwire_shared.event import NAME_CHARACTERS, Sdk

SDK: Final = "opentelemetry"
_AGENT: Final = re.compile(
    r"OTel[- ]OTLP[- ](?:JSON[- ])?Exporter[- ](?P<language>[A-Za-z+]{1,20})/(?P<version>[\w.+-]{1,50})",
    re.ASCII,
)
_OTHERS: Final = 25
"""Attributes of the resource that go into the context of each event."""


class RecordOrigin(Struct, frozen=True, kw_only=True):
    """The service that made records, and where it runs."""

    service: str | None
    """None if the token may not speak for it."""
    named: str
    """As the resource calls it."""
    language: str
    sdk: Sdk
    fields: dict[str, Any]
    """Release, environment and host, named as in an event."""
    others: Attributes
    content: bytes
    """All of it, for ids."""


def origin_of(attributes: Attributes, context: OtlpContext) -> RecordOrigin:
    """Read the attributes of a resource, by OpenTelemetry's semantic conventions."""
    left = Left(attributes)
    named, language = left.take("service.name"), left.take("telemetry.sdk.language")
    name, version = left.take("telemetry.sdk.name"), left.take("telemetry.sdk.version")
    environment = left.take("deployment.environment.name", "deployment.environment")
    fields = {
        "release": left.take("service.version") or None,
        "environment": environment or None,
        "host": left.take("host.name") or None,
    }
    return RecordOrigin(
        service=context.service_of(named),
        named=named,
        language=language.lower(),
        sdk=_sdk(name, language, version) if name else context.sdk or _sdk(SDK, language, version),
        fields=fields,
        others={key: value for key, value in list(left.others.items())[:_OTHERS] if _is_short(value)},
        content=msgspec.json.encode(attributes),
    )


def sdk_of_agent(agent: str) -> Sdk | None:
    """Return the library that an exporter's ``User-Agent`` names; None for any other."""
    found = _AGENT.match(agent)
    return None if found is None else _sdk(SDK, found["language"], found["version"])


def _sdk(name: str, language: str, version: str) -> Sdk:
    full = f"{name}.{language.lower()}" if language else name
    return Sdk(name=full[:NAME_CHARACTERS], version=version[:NAME_CHARACTERS])


def _is_short(value: object) -> bool:
    """Return True for what is worth repeating in each event."""
    if isinstance(value, str):
        return len(value) <= NAME_CHARACTERS
    return isinstance(value, int | float)
