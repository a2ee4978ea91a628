"""All that a digest says, computed from its lines and from what stands beside them."""

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import FromClause

from faultwire_consumer.domain.digest.facts import DigestFacts, DigestTally
from faultwire_consumer.store.outbox.digest_beside import (
    read_chart,
    read_ended,
    read_held,
    read_nobodys,
    read_silenced,
)
from faultwire_consumer.store.outbox.digest_figures import (
    read_ranking,
    read_sections,
    read_sums,
    read_tally_before,
)
from faultwire_consumer.store.outbox.digest_lines import PeriodBefore, read_before
from faultwire_consumer.store.outbox.digest_places import with_environments
from faultwire_consumer.store.outbox.digest_rows import Ask, DigestScope


class DigestSurroundings(Struct, frozen=True, kw_only=True):
    """The part that does not depend on a digest's lines: read before its transaction, which stays short."""

    before: PeriodBefore
    facts: DigestFacts
    """Without lines."""


async def read_surroundings(ask: Ask, scope: DigestScope) -> DigestSurroundings:
    """Read what stands beside the lines of a digest."""
    before = await read_before(ask, scope)
    beside = [await read_ended(ask, scope), await read_nobodys(ask, scope)]
    return DigestSurroundings(
        before=before,
        facts=DigestFacts(
            tally=DigestTally(),
            before=await read_tally_before(ask, before),
            sections=tuple(section for section in beside if section is not None),
            chart=await read_chart(ask, scope),
            held=await read_held(ask, scope),
            silences=await read_silenced(ask, scope),
        ),
    )


async def add_lines(
    ask: Ask, lines: FromClause, scope: DigestScope, beside: DigestSurroundings
) -> DigestFacts:
    """Add what a digest's lines say to what stands beside them."""
    sums = await read_sums(ask, lines)
    sections = (*await read_sections(ask, lines, sums, scope), *beside.facts.sections)
    return replace(
        beside.facts,
        tally=sums.total,
        sections=await with_environments(ask, sections),
        services=await read_ranking(ask, lines, beside.before, by="service"),
        releases=await read_ranking(ask, lines, beside.before, by="release"),
    )
