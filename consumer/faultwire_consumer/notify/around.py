"""Everything around waiting notifications that stages look at besides them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.silence.silence import Silence
from faultwire_consumer.domain.silence.weekly import WeeklyWindow
from faultwire_consumer.domain.telling.inhibition import Inhibition, Inhibitors
from faultwire_consumer.domain.telling.recovery import Told
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.outbox.claim import Address, Due
from faultwire_consumer.store.outbox.standing import load_standing
from faultwire_consumer.store.outbox.told import load_told
from faultwire_consumer.store.silences.record import load_active


class Around(Struct, frozen=True, kw_only=True):
    """Everything around waiting notifications that stages look at besides them."""

    silences: Sequence[Silence] = ()
    inhibitors: Inhibitors | None = None
    """None where the policy has none."""
    told: Mapping[int, Told] = {}
    """By notification: whether what it follows was told."""
    quiet: Sequence[WeeklyWindow] = ()
    """The receiver's quiet hours."""


NOTHING_AROUND: Final = Around()


async def look_around(
    tx: Transaction,
    waiting: Sequence[Due],
    address: Address,
    *,
    inhibitions: Sequence[Inhibition],
    quiet: Sequence[WeeklyWindow],
    now: datetime,
) -> Around:
    """Load what stages look at, as far as one of these notifications asks for it.

    Args:
        tx: the claim's transaction.
        waiting: the notifications.
        address: the receiver that they are for.
        inhibitions: the policy's.
        quiet: the receiver's quiet hours.
        now: the time.
    """
    if not waiting:
        return Around()
    inhibitors = None
    if inhibitions:
        inhibitors = Inhibitors(inhibitions, await load_standing(tx, inhibitions, now=now))
    return Around(
        silences=await load_active(tx, now=now),
        inhibitors=inhibitors,
        told=await load_told(tx, address.receiver, waiting, now=now),
        quiet=quiet,
    )
