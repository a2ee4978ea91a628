"""The worker's configuration: options, environment and a TOML file become one frozen value.

Precedence, first to last: an option of the command, ``FAULTWIRE_<NAME>``, ``FAULTWIRE_<NAME>_FILE``
(for values that may be secret), the TOML file, the names that hosting platforms set, the default.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final, Literal

from pydantic import ByteSize, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from faultwire_consumer.domain.retention import DAYS, ENDED_DAYS, HOURLY_DAYS, KEPT_DAYS, Retention
from faultwire_consumer.domain.setting.access import AccessSettings
from faultwire_consumer.domain.setting.address import check_scheme
from faultwire_consumer.domain.setting.ending import EndSettings
from faultwire_consumer.domain.setting.gateway import GatewaySettings
from faultwire_consumer.domain.setting.heartbeat import HeartbeatSettings
from faultwire_consumer.domain.setting.links import LinkSettings
from faultwire_consumer.domain.setting.service_links import service_links
from faultwire_consumer.domain.setting.tls import TlsSettings
from faultwire_consumer.domain.suggestion import suggest
from faultwire_shared.broker_url import split_addresses
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.failure import ConfigurationError
from faultwire_shared.redact import redact_url
from faultwire_shared.tls.files import with_files

PREFIX: Final = "FAULTWIRE_"
SECRETS: Final = ("broker_url", "database_url", "database_read_url", "oidc_client_secret", "heartbeat_url")
FALL_BACKS: Final = {
    "database_url": "DATABASE_URL",
    "database_read_url": "DATABASE_READ_URL",
    "broker_url": "RABBITMQ_URL",
    "http_port": "PORT",
}
DAYS_MAX: Final = 36_500
CONFIG_PATHS: Final = (Path("faultwire.toml"), Path("/etc/faultwire/faultwire.toml"))

# Editors of Windows put a mark in front of UTF-8.
_ENCODING: Final = "utf-8-sig"
_NOT_OURS: Final = (
    "CONFIG",
    "SERVICE",
    "ENVIRONMENT",
    "RELEASE",
    "SPOOL_PATH",
    "ENABLED",
    "URL",
    "TOKEN",
)

Given = dict[str, tuple[Any, str]]
"""Values by field, each with its origin."""


class ConfigError(ConfigurationError):
    """The configuration cannot be used; the text is one line that says what is wrong and how to fix it."""


class WorkerConfig(
    GatewaySettings,
    EndSettings,
    HeartbeatSettings,
    LinkSettings,
    AccessSettings,
    TlsSettings,
    BaseSettings,
):
    """Configuration of a worker. Read it with `load_config`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    broker_url: str | None = Field(default=None, repr=False)
    """RabbitMQ, as ``amqp://`` or ``amqps://``, all nodes of a cluster separated by commas.

    Without one the HTTP intake stores directly.
    """
    database_url: str = Field(default="sqlite:///faultwire.db", repr=False)
    """``sqlite:///path`` or ``postgresql://user:password@host/database``."""
    database_read_url: str | None = Field(default=None, repr=False)
    """A streaming replica of the PostgreSQL at ``database_url``, for the operators' queries."""
    http_port: int = Field(default=8787, ge=0, le=65535)
    """0 takes any free port."""
    http_connections: int = Field(default=512, ge=16, le=65_536)
    """Clients that may be connected at once; half of the process's descriptors at most."""
    rules: Path | None = None
    """The policy: who is notified of what and when; by default the one that is shipped."""
    bodies_per_incident: int = Field(default=1_000, ge=10, le=100_000)
    """Number of events of one incident that are kept whole; all are counted."""
    body_compression: Literal["auto", "off"] = "auto"
    """``auto``: bodies are packed once every worker can read that; ``off``: they are stored as they come."""
    new_incidents_per_minute: int = Field(default=500, ge=1)
    """Limit for one service and exception type; further ones go to one overflow incident."""
    public_url: str | None = None
    """Address at which people reach the page: notifications link there."""
    retention_critical_days: int = Field(default=DAYS, ge=KEPT_DAYS, le=DAYS_MAX)
    """Days for which critical events are kept; their incidents, counts and history stay."""
    retention_high_days: int = Field(default=DAYS, ge=KEPT_DAYS, le=DAYS_MAX)
    retention_medium_days: int = Field(default=DAYS, ge=KEPT_DAYS, le=DAYS_MAX)
    retention_low_days: int = Field(default=DAYS, ge=KEPT_DAYS, le=DAYS_MAX)
    retention_bytes: ByteSize | None = Field(default=None, ge=1)
    """Size above which the oldest days go, such as ``20GB``; without it size does not matter."""
    retention_hourly_days: int = Field(default=HOURLY_DAYS, ge=KEPT_DAYS, le=DAYS_MAX)
    """Days for which the counters behind the charts are kept."""
    retention_ended_days: int = Field(default=ENDED_DAYS, ge=KEPT_DAYS, le=DAYS_MAX)
    """Days for which finished rows are kept: sent notifications, replayed dead letters."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """The least that a line of the log has to matter."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """``auto``: for people on a terminal, JSON elsewhere."""

    @property
    def retention(self) -> Retention:
        """The limits of retention."""
        return Retention(
            days={severity: getattr(self, f"retention_{severity}_days") for severity in ErrorSeverity},
            hourly_days=self.retention_hourly_days,
            ended_days=self.retention_ended_days,
            max_bytes=None if self.retention_bytes is None else int(self.retention_bytes),
        )

    @field_validator("broker_url")
    @classmethod
    def _check_broker_url(cls, value: str | None) -> str | None:
        for address in split_addresses(value) if value is not None else ():
            check_scheme(address, ("amqp", "amqps"), "amqp://user:password@host:5672/")
            if "#" in address:
                raise ValueError(f"{redact_url(address)} has a # in it; write it as %23")
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        value = re.sub(r"^postgres://", "postgresql://", value)
        check_scheme(
            value,
            ("sqlite", "postgresql"),
            "sqlite:///faultwire.db or postgresql://user:password@host/database",
        )
        if value.startswith("sqlite:") and (not re.match(r"sqlite:///[^?]", value) or ":memory:" in value):
            raise ValueError("SQLite needs a file, as in sqlite:///faultwire.db")
        return value

    @field_validator("database_read_url")
    @classmethod
    def _check_database_read_url(cls, value: str | None) -> str | None:
        if value is not None:
            value = re.sub(r"^postgres://", "postgresql://", value)
            check_scheme(value, ("postgresql",), "postgresql://user:password@standby/database")
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is not None:
            check_scheme(value, ("http", "https"), "https://errors.example.com")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _replicate_postgresql_only(self) -> "WorkerConfig":
        if self.database_read_url is not None and not self.database_url.startswith("postgresql"):
            raise ValueError(
                "database_read_url names a PostgreSQL replica, but database_url is not PostgreSQL: "
                "SQLite has no replicas; leave database_read_url out"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only what `load_config` passes: it merges the sources itself, to know each value's origin."""
        return (init_settings,)


def load_config(path: Path | None = None, *, with_broker: bool = True, **options: Any) -> WorkerConfig:
    """Read the configuration from all its sources.

    Args:
        path: the TOML file; else ``FAULTWIRE_CONFIG``, else the first of `CONFIG_PATHS` that exists.
        with_broker: False for commands that never use the broker: a shell's ``FAULTWIRE_BROKER_URL`` may
            be its services' address of a worker's intake, and then does not concern us.
        options: values that override all others, by field; None means not given.

    Raises:
        ConfigError: something is unknown, unreadable or not valid.
    """
    given = gather_values(path, **options)
    if not with_broker:
        given.pop("broker_url", None)
    try:
        return _with_tls(WorkerConfig(**{name: value for name, (value, _) in given.items()}))
    except ValidationError as error:
        raise ConfigError(_describe(error, given)) from None


def _with_tls(config: WorkerConfig) -> WorkerConfig:
    """Put the settings of TLS into the addresses, by which every connection is made."""
    try:
        broker, read = config.broker_url, config.database_read_url
        secured = {
            "broker_url": None if broker is None else with_files(broker, config.broker_tls),
            "database_url": config.database_url_with_tls(config.database_url),
            "database_read_url": None if read is None else config.database_url_with_tls(read),
        }
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return config.model_copy(update=secured)


def gather_values(path: Path | None = None, **options: Any) -> Given:
    """Gather the values that are given, each from the first source that has it; none is checked yet.

    Raises:
        ConfigError: a name is unknown, or a file unreadable.
    """
    _check_variables(os.environ)
    chosen = {
        name: (value, f"--{name.replace('_', '-')}") for name, value in options.items() if value is not None
    }
    return (
        _from_fall_backs() | _from_toml(_find_file(path)) | _from_secret_files() | _from_variables() | chosen
    )


def _from_variables() -> Given:
    links = service_links(os.environ, prefix=PREFIX)
    return {
        name: (value, PREFIX + name.upper())
        for name, value in EnvSettingsSource(WorkerConfig)().items()
        if name in WorkerConfig.model_fields and PREFIX + name.upper() not in links
    }


def _from_secret_files() -> Given:
    given: Given = {}
    for name in SECRETS:
        variable = f"{PREFIX}{name.upper()}_FILE"
        path = os.environ.get(variable)
        if path:
            try:
                given[name] = (Path(path).read_text(encoding=_ENCODING).strip(), variable)
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{variable}: cannot read {path}: {_reason(error)}") from None
    return given


def _from_fall_backs() -> Given:
    return {
        name: (os.environ[variable], variable)
        for name, variable in FALL_BACKS.items()
        if os.environ.get(variable)
    }


def _from_toml(path: Path | None) -> Given:
    if path is None:
        return {}
    try:
        text = path.read_text(encoding=_ENCODING)
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {_reason(error)}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {str(error)[:200]}") from None
    except RecursionError:
        raise ConfigError(f"{path}: its values are nested too deeply") from None
    for key in values:
        if key not in WorkerConfig.model_fields:
            hint = f"; {suggest(key, WorkerConfig.model_fields)}"
            raise ConfigError(f"{_place(path, text, key)}: unknown key {key!r}{hint}")
    return {key: (value, f"{_place(path, text, key)} {key}") for key, value in values.items()}


def _find_file(path: Path | None) -> Path | None:
    named = path or (Path(os.environ["FAULTWIRE_CONFIG"]) if os.environ.get("FAULTWIRE_CONFIG") else None)
    return named or next((candidate for candidate in CONFIG_PATHS if _is_file(candidate)), None)


def _is_file(path: Path) -> bool:
    """Return True if there is such a file; one that may not be looked for might say something.

    Raises:
        ConfigError: this user may not enter its folder.
    """
    try:
        return S_ISREG(path.stat().st_mode)
    except PermissionError:
        raise ConfigError(
            f"cannot look for {path}: this user may not enter {path.parent}; allow it "
            f"(chmod 755 {path.parent}), or name another file by --config or FAULTWIRE_CONFIG"
        ) from None
    except OSError:
        return False


def _check_variables(environ: Mapping[str, str]) -> None:
    """Reject a variable with our prefix that nothing reads: it is a typing error."""
    links = service_links(environ, prefix=PREFIX)
    settings = [name.upper() for name in WorkerConfig.model_fields]
    known = {*settings, *(f"{name.upper()}_FILE" for name in SECRETS), *_NOT_OURS, "CA_FILE"}
    # The client can read any of its own variables from a file.
    known.update(f"{name}_FILE" for name in _NOT_OURS)
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known or variable in links or name.startswith("TEST_"):
            continue
        raise ConfigError(f"unknown variable {variable}; {suggest(name, known, prefix=PREFIX)}")


def _place(path: Path, text: str, key: str) -> str:
    pattern = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[].=]")
    lines = (number for number, line in enumerate(text.splitlines(), start=1) if pattern.match(line))
    return f"{path}:{next(lines, 1)}"


def _describe(error: ValidationError, given: Given) -> str:
    """Describe the first error, with the origin of the value but never the value itself."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    text = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return text
    name = str(first["loc"][0])
    _, origin = given.get(name, (None, name))
    return f"{origin}: {text[:1].lower() + text[1:] if first['type'] != 'value_error' else text}"


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "") if isinstance(error, OSError) else "it is not UTF-8"
