"""The sender of a request: by the key that it shows, and the page that shows it."""

from urllib.parse import urlsplit

from aiohttp import hdrs, web

from faultwire_consumer.domain.access.dsn import DsnKey, KeyRefusal, service_in_key
from faultwire_consumer.domain.access.web_origin import may_come_from
from faultwire_consumer.gateway.door.refusal import RefusedRequestError, foreign_page, wrong_key
from faultwire_consumer.gateway.door.supplies import FindKey
from faultwire_consumer.gateway.sentry.auth import SentryAuth, find_auth, sdk_of
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_shared.event import Sdk

NO_PROJECT = -1
"""What no key is for: an address that names a project which is no number."""
_PROJECT_DIGITS = 18


def auth_of(request: web.Request) -> SentryAuth | None:
    """Return the key that a request shows in its headers or query; None where only its body may."""
    return find_auth(request.headers, request.query)


def project_in(request: web.Request) -> int | None:
    """Return the project in a request's address; None where the address has no place for one."""
    text = request.match_info.get("project")
    if text is None:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= _PROJECT_DIGITS
    return int(text) if is_number else NO_PROJECT


async def find_sender(
    request: web.Request,
    keys: FindKey,
    auth: SentryAuth | None,
    project: int | None,
    *,
    is_open: bool = False,
) -> DsnKey:
    """Return the key of a request.

    Args:
        request: whose page may send with it.
        keys: the book of keys.
        auth: what it shows.
        project: the one that it is sent to.
        is_open: programs of this machine need no key that was made; theirs may name their service.

    Raises:
        RefusedRequestError: it is none, or not one for this page.
    """
    shown = auth.key if auth is not None else None
    try:
        found = await keys.find(shown, project)
    except StoreUnavailableError:
        raise RefusedRequestError(503, "no key can be looked up now", reason="keys_unknown") from None
    origin = page_of(request)
    if found is KeyRefusal.UNKNOWN and is_open and origin is None:
        found = _named_by(shown or "", project) or found
    if isinstance(found, KeyRefusal):
        raise wrong_key(found, shown)
    if origin is not None and not may_come_from(found.allowed_origins, origin):
        raise foreign_page()
    return found


def _named_by(key: str, project: int | None) -> DsnKey | None:
    service = service_in_key(key)
    if service is None:
        return None
    return DsnKey(public_key=key, project=project or 0, service=service, token_id=0, token_name="")


def page_of(request: web.Request) -> str | None:
    """Return the origin of the page that sends; None where no browser says one."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None:
        return origin
    referer = request.headers.get(hdrs.REFERER)
    if not referer:
        return None
    try:
        address = urlsplit(referer)
    except ValueError:
        return referer[:200]
    return f"{address.scheme}://{address.netloc}"


def library_of(request: web.Request, auth: SentryAuth | None) -> Sdk | None:
    """Return the library that a request's headers name."""
    by_client = auth.sdk if auth is not None else None
    return by_client or sdk_of(request.headers.get(hdrs.USER_AGENT))
