"""The certificate that the worker's own server shows, which may be renewed while it serves."""

import ssl

from faultwire_shared.tls.context import make_server_context
from faultwire_shared.tls.files import TlsFiles


class ServedCertificate:
    """A certificate in use. Each new connection is shown the newest; those that stand keep theirs."""

    def __init__(self, files: TlsFiles) -> None:
        """Read it.

        Raises:
            TlsFileError: a file cannot be read, or holds something else.
        """
        self._files = files
        self.newest = make_server_context(files)
        """What who connects now is shown."""
        self.listening = make_server_context(files)
        """For the listening socket, whose context stays the same for as long as it listens."""
        self.listening.sni_callback = self._show

    def read(self) -> ssl.SSLContext:
        """Read the files as they are now; nothing else is in use before `use`.

        Raises:
            TlsFileError: one cannot be read, or holds something else.
        """
        return make_server_context(self._files)

    def use(self, context: ssl.SSLContext) -> None:
        """Show what was read to whoever connects from now on."""
        self.newest = context

    def _show(self, connection: ssl.SSLObject, name: str | None, listening: ssl.SSLContext) -> None:
        """Put the newest in place, whatever name the client asks for; OpenSSL calls without one too."""
        connection.context = self.newest


def certificate_of(files: TlsFiles | None) -> ServedCertificate | None:
    """Read what the settings name; None where the server speaks no TLS.

    Raises:
        TlsFileError: a file cannot be read, or holds something else.
    """
    return None if files is None else ServedCertificate(files)
