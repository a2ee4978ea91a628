"""Routes of every page, in one table of tables."""

from typing import Final

from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page import (
    acts,
    api_docs,
    asset,
    keys,
    preferences,
    provider_sign_in,
    sign_in,
    told_acts,
    tracker,
)
from faultwire_consumer.web.page.accounts import audit, dsns, own, tokens
from faultwire_consumer.web.page.accounts import page as accounts
from faultwire_consumer.web.page.desk import letter as dead_letter
from faultwire_consumer.web.page.desk import page as desk
from faultwire_consumer.web.page.incident import page as incident
from faultwire_consumer.web.page.incidents import kept as views
from faultwire_consumer.web.page.incidents import page as incidents
from faultwire_consumer.web.page.rules import digest as rules_digest
from faultwire_consumer.web.page.rules import page as rules
from faultwire_consumer.web.page.rules import rehearsal
from faultwire_consumer.web.page.section import health, producers, releases
from faultwire_consumer.web.page.told import page as told

PAGE_ROUTES: Final[tuple[AccessRoutes, ...]] = (
    acts.routes,
    incidents.routes,
    views.routes,
    incident.routes,
    releases.routes,
    told.routes,
    tracker.routes,
    told_acts.routes,
    rules.routes,
    rehearsal.routes,
    rules_digest.routes,
    desk.routes,
    dead_letter.routes,
    producers.routes,
    health.routes,
    accounts.routes,
    tokens.routes,
    dsns.routes,
    audit.routes,
    own.routes,
    preferences.routes,
    keys.routes,
    api_docs.routes,
    asset.routes,
    sign_in.routes,
    provider_sign_in.routes,
)
