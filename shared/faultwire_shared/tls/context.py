"""TLS as files describe it: whom to trust, and what to show."""

import ssl
from pathlib import Path

from faultwire_shared.failure import ConfigurationError
from faultwire_shared.tls.files import TlsFiles


class TlsFileError(ConfigurationError, ValueError):
    """A file of TLS cannot be used; the text names it and says why."""


def make_context(files: TlsFiles, *, verifies: bool = True) -> ssl.SSLContext:
    """Read the files; without an authority's, those that this machine trusts are trusted.

    Args:
        files: their paths.
        verifies: False trusts everybody.

    Raises:
        TlsFileError: one cannot be read, or holds something else.
    """
    for path in files:
        _check_readable(path)
    context = _trusting(files.ca_file)
    if files.certificate_file:
        _show_certificate(context, files.certificate_file, files.key_file)
    if not verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def make_server_context(files: TlsFiles) -> ssl.SSLContext:
    """Read a server's certificate and its key.

    Raises:
        TlsFileError: one cannot be read, or holds something else.
    """
    for path in files:
        _check_readable(path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _show_certificate(context, files.certificate_file or "", files.key_file)
    return context


def _check_readable(path: str | None) -> None:
    if path is None or Path(path).is_dir():
        return
    try:
        with Path(path).open("rb"):
            return
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TlsFileError(f"cannot read {path}: {reason}") from None


def _trusting(path: str | None) -> ssl.SSLContext:
    if path is None:
        return ssl.create_default_context()
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (ssl.SSLError, OSError):
        raise TlsFileError(f"{path} holds no certificates (as PEM)") from None


def _show_certificate(context: ssl.SSLContext, path: str, key: str | None) -> None:
    def ask() -> str:  # without it OpenSSL asks on the terminal, and waits
        raise TlsFileError(f"the key in {key or path} has a password; faultwire reads keys without one")

    try:
        context.load_cert_chain(path, key, password=ask)
    except ssl.SSLError as error:
        why = "do not belong together" if error.reason == "KEY_VALUES_MISMATCH" else "are not both there"
        raise TlsFileError(f"certificate and key in {path} and {key or path} {why} (as PEM)") from None
    except OSError as error:
        raise TlsFileError(f"cannot read {path} or {key or path}: {error.strerror}") from None
