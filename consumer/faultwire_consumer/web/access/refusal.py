"""Refusals of the guard, each in words for whoever asked, and with the challenge that HTTP wants."""

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

    def __init__(self, actor: str, scope: AccessScope) -> None:
        super().__init__(
            f"{actor} may not do this: it takes the scope {scope}", details={"scope": scope.value}
        )
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


AccessRefused = NotSignedInError | TokenRefusedError | ScopeMissingError | UndeclaredAccessError
