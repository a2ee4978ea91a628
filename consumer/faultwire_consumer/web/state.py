"""The objects that every handler may use, by typed keys of the application."""

from collections.abc import Callable, Mapping
from datetime import datetime

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.links.source import SourceLinks
from faultwire_consumer.domain.links.template import LinkTemplate
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.ingest.replay import Replayer
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.notify.trial import Trial
from faultwire_consumer.rehearsal.rehearser import Rehearser
from faultwire_consumer.serving.principal import PRINCIPAL as PRINCIPAL  # noqa: PLC0414 - re-exported: handlers look here
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.origin import Origins
from faultwire_shared.health import HealthChecker

Clock = Callable[[], datetime]


class Health(Struct, frozen=True, kw_only=True):
    """The three questions that are asked of a worker, each with its own checks."""

    live: HealthChecker
    """Does the loop turn; never asks the broker or the database."""
    ready: HealthChecker
    """Can it take events now."""
    startup: HealthChecker
    """Has it come up: schema current, first connections made."""


STORE = web.AppKey("store", Store)
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
HEALTH = web.AppKey("health", Health)
REPORT = web.AppKey("report", SelfReport)
ORIGINS = web.AppKey("origins", Origins)
POLICY: web.AppKey[Callable[[], Policy]] = web.AppKey("policy")
"""Gives the policy in use, which may be another one at the next request."""
TEMPLATE_FAULTS: web.AppKey[Callable[[], Mapping[str, str]]] = web.AppKey("template_faults")
"""Gives what is wrong with receivers' own templates, by their names."""
POLICY_STATUS: web.AppKey[Callable[[], PolicyStatus]] = web.AppKey("policy_status")
"""Gives the origin of the policy in use, and what is wrong with its file."""
PUBLIC_URL: web.AppKey[str | None] = web.AppKey("public_url")
"""Where people reach the page; None where that was not said."""
HAS_BROKER = web.AppKey("has_broker", bool)
"""Events come from a broker; without one services send them to the worker itself."""
SOURCES = web.AppKey("sources", SourceLinks)
"""Where the lines of frames are to be read."""
TRACKER: web.AppKey[LinkTemplate | None] = web.AppKey("tracker")
"""Opens an issue in a tracker; None where that was not said."""
REPLAYER = web.AppKey("replayer", Replayer)
TRIAL: web.AppKey[Trial] = web.AppKey("trial")
"""Tests receivers."""
REHEARSER: web.AppKey[Rehearser | None] = web.AppKey("rehearser")
"""Plays the history to other rules; None where nothing does."""
REQUEST_ID = web.RequestKey("request_id", str)
