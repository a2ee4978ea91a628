"""Refusals of the guard, each in words for whoever asked, and with the challenge that HTTP wants."""

import math
from datetime import timedelta

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_shared.taxonomy import AuthenticationError, AuthorizationError, ValidationError

REALM = 'Bearer realm="faultwire"'


class NotSignedInError(AuthenticationError):
    """Nobody was recognised, and the route is not open."""

    code = "NOT_SIGNED_IN"
    challenge = REALM

    def __init__(self) -> None:
        super().__init__(
            "nobody is signed in here, and this needs it; a program sends Authorization: Bearer and a token"
        )


class TokenRefusedError(AuthenticationError):
    """The token is none of this worker's, or holds no longer."""

    code = "TOKEN_REFUSED"
    challenge = f'{REALM}, error="invalid_token"'


class ScopeMissingError(AuthorizationError):
    """Whoever asks is known, and may not do this."""

    code = "SCOPE_MISSING"

    def __init__(self, actor: str, scope: AccessScope, *, is_open: bool = False) -> None:
        """Say who may not do what, and at an open door what would let somebody."""
        said = f"{actor} may not do this: it takes the scope {scope}"
        if is_open:
            said += (
                '. Nobody signs in at this worker; set access = "login" and public_url, then make the first '
                "admin by `faultwire access invite NAME --role admin`"
            )
        super().__init__(said, details={"scope": scope.value})
        self.challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'


class UndeclaredAccessError(AuthorizationError):
    """The route says nothing of who may use it: a mistake of this release, and nobody may."""

    code = "ACCESS_UNDECLARED"
    challenge = REALM

    def __init__(self) -> None:
        super().__init__("this route does not say who may use it, so nobody may: a mistake of this release")


class DoubledHeaderError(ValidationError):
    """A header by which somebody is recognised came twice: its second value would be anybody's guess."""

    code = "DOUBLED_HEADER"

    def __init__(self, name: str) -> None:
        super().__init__(f"the header {name} came more than once; send it once")


class DoubledCookieError(ValidationError):
    """The cookie of a session came twice: one of them is somebody else's."""

    code = "DOUBLED_COOKIE"

    def __init__(self, name: str) -> None:
        super().__init__(f"the cookie {name} came more than once; delete this site's cookies")


class ForeignPageError(AuthorizationError):
    """A browser asks for a change, and no page of the worker's had it do so."""

    code = "FOREIGN_PAGE"
    challenge = REALM

    def __init__(self) -> None:
        super().__init__(
            "this change did not come from a page of this worker: it takes Sec-Fetch-Site: same-origin, or "
            "an Origin that is its own; a program shows a token instead"
        )


class WithoutTlsError(AuthorizationError):
    """A password came over a network without TLS."""

    code = "WITHOUT_TLS"
    challenge = REALM

    def __init__(self) -> None:
        super().__init__(
            "This page came over a network without TLS, so anybody on the way can read a password, and a "
            "browser keeps no sign-in. Ask by https://, or on the worker's own machine by http://localhost."
        )


class ProxyRefusedError(AuthenticationError):
    """A header that names somebody is not the proxy's, or names nobody who may come in."""

    code = "PROXY_REFUSED"
    challenge = REALM


class SignatureRefusedError(AuthenticationError):
    """A signature, or the claims that it is on, are not taken; the text says why."""

    code = "SIGNATURE_REFUSED"
    challenge = REALM

    def __init__(self, why: str) -> None:
        super().__init__(f"what came signed is not taken: {why}")


class ProviderRefusedError(AuthorizationError):
    """A sign-in at the provider lets nobody in here; the text says why."""

    code = "PROVIDER_REFUSED"
    challenge = REALM


class WrongPasswordError(AuthenticationError):
    """A name or password is not right; nobody is told which."""

    code = "WRONG_PASSWORD"

    def __init__(self) -> None:
        super().__init__("The name or the password is not right.")


class SignInWaitError(AuthenticationError):
    """Too many sign-ins failed before; this one was not looked at."""

    code = "SIGN_IN_LATER"
    status = 429

    def __init__(self, wait: timedelta) -> None:
        self.retry_after_seconds = max(1, math.ceil(wait.total_seconds()))
        super().__init__(
            "Too many sign-ins failed, so this one was not looked at; try again in "
            f"{self.retry_after_seconds} s."
        )


class LinkUsedError(AuthenticationError):
    """The link was used, is over, or never was one."""

    code = "LINK_USED"
    status = 410

    def __init__(self) -> None:
        super().__init__("This link was used, or its day is over. Ask for another one.")


class PasswordUnfitError(ValidationError):
    """A password is not taken; its text says why."""

    code = "PASSWORD_UNFIT"


AccessRefused = (
    NotSignedInError
    | TokenRefusedError
    | ScopeMissingError
    | UndeclaredAccessError
    | ForeignPageError
    | WithoutTlsError
    | LinkUsedError
    | ProviderRefusedError
    | ProxyRefusedError
    | SignatureRefusedError
)
