"""The ways by which a worker knows who asks, by its setting ``access``."""

import asyncio
import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.access.audit import AuditAction, AuditSource
from faultwire_consumer.domain.access.claims import ExpectedClaims
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.incident import WORKER
from faultwire_consumer.domain.setting.access import AccessMode
from faultwire_consumer.store.access.accounts import has_accounts
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.limited import LimitedStore
from faultwire_consumer.web.access.bearer import BearerRecogniser, TokenBook
from faultwire_consumer.web.access.guard import Recogniser
from faultwire_consumer.web.access.json_fetch import fetch_json
from faultwire_consumer.web.access.oidc import CALLBACK_PATH, ProviderDoor, ProviderPlan
from faultwire_consumer.web.access.open_door import open_door, trusting_door
from faultwire_consumer.web.access.password import PasswordKeeper
from faultwire_consumer.web.access.proxy import ProxyRecogniser, RolePolicy, TrustedProxy
from faultwire_consumer.web.access.proxy_signed import SignedRecogniser, SigningProxy
from faultwire_consumer.web.access.session import SessionRecogniser
from faultwire_consumer.web.access.sign_in import SignInDoor
from faultwire_consumer.web.access.signature import Fetch, SignedReader
from faultwire_shared.clock import Clock
from faultwire_shared.failure import ConfigurationError
from faultwire_shared.logging.logs import get_logger

SECRET_BYTES: Final = 32
PROXY_SECRET_MIN: Final = 16
draw_secret = partial(secrets.token_urlsafe, SECRET_BYTES)

log = get_logger("faultwire.worker")


class SecretFileError(ConfigurationError):
    """A file with a secret cannot be used; the text says which and why."""


class SignaturesMissingError(ConfigurationError):
    """The library that reads signatures is not installed; the text says how to get it."""


class AccessWays(Struct, frozen=True, kw_only=True):
    """The parts of a worker that know who asks."""

    recognisers: Sequence[Recogniser]
    """In their order: what somebody shows comes before what anybody may."""
    sign_in_door: SignInDoor | None = None
    provider_door: ProviderDoor | None = None


async def open_access(config: WorkerConfig, store: Store, *, clock: Clock) -> AccessWays:
    """Put them together.

    Args:
        config: says how people are known.
        store: the primary.
        clock: tells what has expired.

    Raises:
        SecretFileError: a secret cannot be read.
    """
    await tell_mode(config, store, clock=clock)
    recognisers: list[Recogniser] = [BearerRecogniser(TokenBook(store, clock=clock))]
    limited, door, provider = LimitedStore(store), None, None
    if config.access is AccessMode.PROXY:
        recognisers.append(await _proxy_of(config, limited, clock=clock))
    elif config.access is AccessMode.LOGIN:
        recognisers.append(SessionRecogniser(limited, clock=clock))
        door = SignInDoor(limited, PasswordKeeper(), clock=clock, draw=draw_secret)
        provider = _provider_of(config, limited, clock=clock)
    else:
        recognisers.append(open_door if config.loopback_only else trusting_door)
    return AccessWays(recognisers=recognisers, sign_in_door=door, provider_door=provider)


async def tell_mode(config: WorkerConfig, store: Store, *, clock: Clock) -> None:
    """Tell the audit by which mode people are known from now on, and the log what lets the first one in.

    A database that takes nothing now keeps no worker from its start.
    """
    source = AuditSource(actor=WORKER, via=Via.COMMAND)
    told = f"access = {config.access}, listening on {config.http_host}"
    with suppress(StoreUnavailableError):
        async with store.write() as tx:
            entry = source.entry(AuditAction.STARTED, socket.gethostname(), at=clock(), detail=told)
            await record_audit(tx, entry)
        if config.access is AccessMode.LOGIN and not await has_accounts(store):
            log.warning("access.nobody", mend="faultwire access invite NAME --role admin")


def _provider_of(config: WorkerConfig, store: Store, *, clock: Clock) -> ProviderDoor | None:
    if config.oidc_issuer is None:
        return None
    plan = ProviderPlan(
        issuer=config.oidc_issuer,
        client_id=config.oidc_client_id or "",
        client_secret=config.oidc_client_secret,
        redirect_uri=f"{(config.public_url or '').rstrip('/')}{CALLBACK_PATH}",
        scopes=config.oidc_scopes,
        groups_claim=config.oidc_groups_claim,
        roles=config.oidc_roles,
    )
    return ProviderDoor(store, plan, clock=clock, draw=draw_secret, keys=_reader_of)


def _reader_of(fetch: Fetch) -> SignedReader:
    """Return what reads signatures.

    Raises:
        SignaturesMissingError: the library for that is not installed.
    """
    try:
        from faultwire_consumer.web.access.signed import PublicKeys  # noqa: PLC0415 - of an extra
    except ImportError:
        raise SignaturesMissingError(
            'what a provider or proxy signs is read by the extra oidc: pip install "faultwire[consumer,oidc]"'
        ) from None
    return PublicKeys(fetch)


def _signed_by(config: WorkerConfig, store: Store, roles: RolePolicy, *, clock: Clock) -> Recogniser:
    proxy = SigningProxy(
        header=config.proxy_jwt_header or "",
        expected=ExpectedClaims(
            issuer=config.proxy_jwt_issuer or "", audience=config.proxy_jwt_audience or ""
        ),
        user_claim=config.proxy_jwt_user_claim,
        groups_claim=config.proxy_jwt_groups_claim,
    )
    keys = _reader_of(partial(fetch_json, config.proxy_jwt_keys_url or ""))
    return SignedRecogniser(store, proxy, keys, roles, clock=clock)


async def _proxy_of(config: WorkerConfig, store: Store, *, clock: Clock) -> Recogniser:
    roles = RolePolicy(by_groups=config.proxy_roles, default=config.proxy_default_role)
    if config.proxy_jwt_header is not None:
        return _signed_by(config, store, roles, clock=clock)
    path = config.proxy_secret_file
    secret = await asyncio.to_thread(read_secret, path) if path is not None else None
    trusted = TrustedProxy(
        user_header=config.proxy_user_header or "",
        groups_header=config.proxy_groups_header,
        networks=config.trusted_networks,
        secret=secret,
    )
    return ProxyRecogniser(store, trusted, roles)


def read_secret(path: Path) -> str:
    """Return the secret in a file.

    Raises:
        SecretFileError: it cannot be read, or is too short to be one.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretFileError(f"cannot read the secret in {path}: {error}") from None
    if len(secret) < PROXY_SECRET_MIN:
        raise SecretFileError(
            f"{path}: a secret has {PROXY_SECRET_MIN} characters or more; make one by "
            f"`openssl rand -hex 32 > {path}`"
        )
    return secret
