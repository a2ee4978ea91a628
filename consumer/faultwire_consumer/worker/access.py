"""The ways by which a worker knows who asks, by its setting ``access``."""

import secrets
from collections.abc import Sequence
from functools import partial

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.setting.access import AccessMode
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.limited import LimitedStore
from faultwire_consumer.web.access.bearer import BearerRecogniser, TokenBook
from faultwire_consumer.web.access.guard import Recogniser
from faultwire_consumer.web.access.open_door import open_door, trusting_door
from faultwire_consumer.web.access.password import PasswordKeeper
from faultwire_consumer.web.access.session import SessionRecogniser
from faultwire_consumer.web.access.sign_in import SignInDoor
from faultwire_shared.clock import Clock

SECRET_BYTES = 32
draw_secret = partial(secrets.token_urlsafe, SECRET_BYTES)


def recognisers_of(config: WorkerConfig, store: Store, *, clock: Clock) -> Sequence[Recogniser]:
    """Put the recognisers in their order: what somebody shows comes before what anybody may.

    Args:
        config: says how people are known.
        store: the primary.
        clock: tells what has expired.
    """
    recognisers: list[Recogniser] = [BearerRecogniser(TokenBook(store, clock=clock))]
    if config.access is AccessMode.LOGIN:
        recognisers.append(SessionRecogniser(LimitedStore(store), clock=clock))
    if config.is_open:
        recognisers.append(open_door if config.loopback_only else trusting_door)
    return recognisers


def sign_in_door_of(config: WorkerConfig, store: Store, *, clock: Clock) -> SignInDoor | None:
    """Make the door for people; None where nobody signs in here."""
    if config.access is not AccessMode.LOGIN:
        return None
    return SignInDoor(LimitedStore(store), PasswordKeeper(), clock=clock, draw=draw_secret)
