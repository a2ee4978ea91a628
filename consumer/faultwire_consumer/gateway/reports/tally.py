"""Counts of each service and SDK, bounded whatever strangers say, and the reports made of them. Pure."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct, field

from faultwire_consumer.gateway.reading import ClientLoss, Reading
from faultwire_consumer.gateway.reports.vocabulary import (
    CATEGORIES,
    KINDS,
    OTHER,
    REASONS,
    Vocabulary,
)
from faultwire_shared.event import NAME_CHARACTERS, Sdk
from faultwire_shared.producer_report import SEQUENCE_MAX, DroppedItems, LostRange, ProducerReport

SDKS_MAX: Final = 20
"""SDKs and versions of a service that are kept apart; a key in a web page lets anybody name some."""
TALLIES_MAX: Final = 2_000
"""Of all services together; what comes beyond them is counted as one."""
OWN_SERVICE: Final = "faultwire"
"""The service under which that is listed: none of those that sent it."""
LOSS_MAX: Final = 1_000_000
"""The most of one reason that a single client report is believed; above that it is no count of events."""
SAYS_SECONDS: Final = 25.0
"""Between two reports of one SDK, with a look every five: what is heard is reported within 30 s."""
FORGET_SECONDS: Final = 24 * 3600.0
"""Time after which an SDK that is not heard from makes room; if it comes back, it is a new producer."""
EVENT_CATEGORIES: Final = frozenset(("error", "default", "unknown"))
"""Data categories of events. JavaScript's SDKs say ``unknown`` of messages that never left the queue."""
VIA: Final = "gateway"
_NAME_CHARACTERS: Final = 60
_VERSION_CHARACTERS: Final = 39
"""With the name and a space, what the store keeps of an SDK."""


class GatewayIdentity(Struct, frozen=True, kw_only=True):
    """The process that the gateway runs in."""

    host: str
    process: str
    """By chance, so that no other process, before or after it, has the same."""

    def producer_id(self, number: int) -> str:
        """Return the id of a producer that this process speaks for."""
        return f"{VIA}-{self.host[:100]}-{self.process[:40]}-{number}"


class SdkTally(Struct, kw_only=True):
    """All that was heard of one SDK of one service, since this process heard of it first."""

    producer_id: str
    service: str
    sdk: Sdk
    started_at: datetime
    heard_at: float
    """Monotonic seconds, as are those below."""
    said_at: float | None = None
    news: bool = True
    """True where something is not reported yet."""
    events: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    def is_due(self, now: float, *, is_last: bool) -> bool:
        """Return True if there is something to say, and it is time."""
        return self.news and (is_last or self.said_at is None or now - self.said_at >= SAYS_SECONDS)

    def report(self, host: str) -> ProducerReport:
        """Return the report of all of it: each says everything again, so that one may be lost or doubled."""
        return ProducerReport(
            producer_id=self.producer_id,
            service=self.service,
            started_at=self.started_at,
            last_sequence=0,
            host=host[:NAME_CHARACTERS],
            # They never had a number.
            lost=[
                LostRange(reason=reason, count=min(count, SEQUENCE_MAX), first=0, last=0)
                for reason, count in self.lost.items()
            ],
            sdk=self.sdk,
            via=VIA,
            unnumbered=min(self.events, SEQUENCE_MAX),
            dropped=[
                DroppedItems(kind=kind, count=min(count, SEQUENCE_MAX))
                for kind, count in self.dropped.items()
            ],
        )


class SdkShare(Struct, kw_only=True):
    """The part of a request that belongs to one SDK, in words that counters may have as names."""

    events: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    losses: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By reason and data category."""


class Words(Struct, frozen=True):
    """The names under which things are counted, the same for all services."""

    kinds: Vocabulary = field(default_factory=lambda: Vocabulary(KINDS))
    reasons: Vocabulary = field(default_factory=lambda: Vocabulary(REASONS))
    categories: Vocabulary = field(default_factory=lambda: Vocabulary(CATEGORIES))

    def counted_losses(self, losses: list[ClientLoss]) -> Counter[tuple[str, str]]:
        """Add client reports up by reason and category."""
        found: Counter[tuple[str, str]] = Counter()
        for loss in losses:
            if loss.count > 0:
                key = self.reasons.name(loss.reason), self.categories.name(loss.category)
                found[key] += min(loss.count, LOSS_MAX)
        return found

    def counted_kinds(self, dropped: Mapping[str, int]) -> Counter[str]:
        """Add dropped items up by kind."""
        found: Counter[str] = Counter()
        for kind, count in dropped.items():
            if count > 0:
                found[self.kinds.name(kind)] += count
        return found


def shares_of(reading: Reading, sdk: Sdk | None, words: Words) -> dict[Sdk, SdkShare]:
    """Part a request by SDK: each event names its own, and the rest is the sender's.

    Args:
        reading: what the request held.
        sdk: the library by the request's headers, where the body does not say.
        words: names of counters.
    """
    shares: dict[Sdk, SdkShare] = {}
    for event in reading.events:
        shares.setdefault(tidy(event.sdk), SdkShare()).events += 1
    sender = tidy(reading.sdk or sdk or next((event.sdk for event in reading.events), Sdk()))
    share = shares.setdefault(sender, SdkShare())
    share.dropped = words.counted_kinds(reading.dropped)
    share.losses = words.counted_losses(reading.losses)
    return {one: found for one, found in shares.items() if found.events or found.dropped or found.losses}


def tidy(sdk: Sdk) -> Sdk:
    """Return an SDK under a name and version that can be listed; one without a name is `OTHER`."""
    name, version = _line(sdk.name, _NAME_CHARACTERS), _line(sdk.version, _VERSION_CHARACTERS)
    return Sdk(name=name or OTHER, version=version)


def _line(text: str, most: int) -> str:
    return "".join(one for one in text[: 4 * most] if one.isprintable()).strip()[:most]


class SdkLedger:
    """Holds the counts of every service and SDK.

    Args:
        who: the process that reports.
    """

    def __init__(self, who: GatewayIdentity) -> None:
        self._who = who
        self._tallies: dict[tuple[str, Sdk], SdkTally] = {}
        self._sdks: Counter[str] = Counter()
        self._made = 0

    def add(self, service: str, sdk: Sdk, share: SdkShare, *, at: datetime, now: float) -> None:
        """Count what came of an SDK of a service.

        Args:
            service: the sender's.
            sdk: a tidy one.
            share: what came.
            at: the time.
            now: monotonic seconds.
        """
        tally = self._tally(service[:NAME_CHARACTERS], sdk, at, now)
        tally.events += share.events
        tally.dropped.update(share.dropped)
        for (reason, category), count in share.losses.items():
            if category in EVENT_CATEGORIES:
                tally.lost[f"{reason} ({category})"] += count
        tally.heard_at, tally.news = now, True

    def due(self, now: float, *, is_last: bool = False) -> list[SdkTally]:
        """Return what has news and may say it now; the last time everything that has."""
        return [tally for tally in self._tallies.values() if tally.is_due(now, is_last=is_last)]

    def forget(self, now: float) -> None:
        """Let go of what was not heard from for long, and has been reported."""
        for key, tally in list(self._tallies.items()):
            if not tally.news and now - tally.heard_at >= FORGET_SECONDS:
                del self._tallies[key]
                self._sdks[key[0]] -= 1
        self._sdks = +self._sdks

    def _tally(self, service: str, sdk: Sdk, at: datetime, now: float) -> SdkTally:
        if (service, sdk) not in self._tallies and self._sdks[service] >= SDKS_MAX:
            sdk = Sdk(name=OTHER)
        if (service, sdk) not in self._tallies and len(self._tallies) >= TALLIES_MAX:
            service, sdk = OWN_SERVICE, Sdk(name=OTHER)
        tally = self._tallies.get((service, sdk))
        if tally is None:
            self._made += 1
            self._sdks[service] += 1
            tally = self._tallies[service, sdk] = SdkTally(
                producer_id=self._who.producer_id(self._made),
                service=service,
                sdk=sdk,
                started_at=at,
                heard_at=now,
            )
        return tally
