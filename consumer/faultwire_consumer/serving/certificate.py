"""The certificate that the worker's own server shows, which may be renewed while it serves."""

import ssl

from msgspec import Struct

from faultwire_consumer.serving.certificate_end import end_of_file
from faultwire_shared.tls.context import TlsFileError, make_server_context
from faultwire_shared.tls.files import TlsFiles


class Shown(Struct, frozen=True):
    """A certificate as its files were read."""

    context: ssl.SSLContext
    ends_at: float
    """Seconds of Unix time."""


class ServedCertificate:
    """A certificate in use. Each new connection is shown the newest; those that stand keep theirs."""

    def __init__(self, files: TlsFiles) -> None:
        """Read it.

        Raises:
            TlsFileError: a file cannot be read, or holds something else.
        """
        self._files = files
        self.newest = self.read()
        """What who connects now is shown."""
        self.listening = make_server_context(files)
        """For the listening socket, whose context stays the same for as long as it listens."""
        self.listening.sni_callback = self._show

    def read(self) -> Shown:
        """Read the files as they are now; nothing else is in use before `use`.

        Raises:
            TlsFileError: one cannot be read, or holds something else.
        """
        context, path = make_server_context(self._files), self._files.certificate_file or ""
        try:
            return Shown(context, end_of_file(path))
        except (OSError, ValueError) as error:
            raise TlsFileError(f"{path}: its certificate cannot be read: {error}") from None

    def use(self, shown: Shown) -> None:
        """Show what was read to whoever connects from now on."""
        self.newest = shown

    def _show(self, connection: ssl.SSLObject, name: str | None, listening: ssl.SSLContext) -> None:
        """Put the newest in place, whatever name the client asks for; OpenSSL calls without one too."""
        connection.context = self.newest.context


def certificate_of(files: TlsFiles | None) -> ServedCertificate | None:
    """Read what the settings name; None where the server speaks no TLS.

    Raises:
        TlsFileError: a file cannot be read, or holds something else.
    """
    return None if files is None else ServedCertificate(files)
