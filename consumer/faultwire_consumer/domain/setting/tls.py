"""Settings of TLS: whom a worker trusts at its broker and its database, and what it shows and to whom."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, model_validator

from faultwire_consumer.domain.setting.address import words_behind
from faultwire_shared.tls.files import TlsFiles, check_files, tls_files


class TlsSettings(BaseModel):
    """The part of a worker's configuration that names certificates; files are read for each connection."""

    broker_ca_file: Path | None = None
    """The only authorities that may vouch for the broker, as PEM; by default those this machine trusts."""
    broker_certificate_file: Path | None = None
    """The worker's own certificate, where the broker asks for one."""
    broker_key_file: Path | None = None
    """Its key, where that is not in the same file."""
    database_ca_file: Path | None = None
    """The only authorities that may vouch for PostgreSQL, as PEM."""
    database_certificate_file: Path | None = None
    """The worker's own certificate, where PostgreSQL asks for one."""
    database_key_file: Path | None = None
    """Its key."""
    database_tls: Literal["prefer", "require", "verify-full"] | None = None
    """How PostgreSQL is spoken to; ``verify-full`` as soon as an authority is named."""

    http_certificate_file: Path | None = None
    """The certificate that page, API and intake show, with those between it and its authority; without one
    they speak no TLS, for a proxy does."""
    http_key_file: Path | None = None
    """Its key, where that is not in the same file."""

    @property
    def http_tls(self) -> TlsFiles | None:
        """The files of what visitors are shown; None where they are shown nothing."""
        found = tls_files(None, self.http_certificate_file, self.http_key_file)
        return found if found.certificate_file else None

    @property
    def broker_tls(self) -> TlsFiles:
        """The files for the broker."""
        return tls_files(self.broker_ca_file, self.broker_certificate_file, self.broker_key_file)

    @property
    def database_files(self) -> TlsFiles:
        """The files for the database."""
        return tls_files(self.database_ca_file, self.database_certificate_file, self.database_key_file)

    @model_validator(mode="after")
    def _fit_together(self) -> "TlsSettings":
        check_files(self.broker_tls, "broker")
        check_files(self.database_files, "database")
        check_files(tls_files(None, self.http_certificate_file, self.http_key_file), "http")
        if self.database_ca_file is not None and self.database_tls in ("prefer", "require"):
            raise ValueError(
                f"database_tls = {self.database_tls!r} looks at no certificate, and database_ca_file names "
                "an authority: leave database_tls out, or set it to verify-full"
            )
        return self

    def database_url_with_tls(self, url: str) -> str:
        """Return PostgreSQL's address with these settings as libpq's words.

        Raises:
            ValueError: they are for another database, or the address says something of TLS too.
        """
        words = self._words()
        if not words:
            return url
        if not url.startswith("postgres"):
            raise ValueError(
                "database_tls and the database's files are for PostgreSQL: SQLite has no network"
            )
        query = words_behind(url)
        if re.search("(^|&)ssl", query):
            raise ValueError(
                "database_url says something of TLS, and database_* settings do too: say it once"
            )
        return f"{url}{'&' if query else '?'}{urlencode(words, quote_via=quote, safe='')}"

    def _words(self) -> dict[str, str]:
        files = self.database_files
        named = zip(("sslrootcert", "sslcert", "sslkey"), files, strict=True)
        words = {word: path for word, path in named if path is not None}
        mode = self.database_tls or ("verify-full" if files.ca_file else None)
        if mode == "verify-full" and files.ca_file is None:
            words["sslrootcert"] = "system"
        return words | ({"sslmode": mode} if mode else {})
