"""Workers to walk: one that knows nothing yet, one after some days, and one that is lied to in each field."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import StorageState
from tests.browser.hostile import HOSTILE, LONG, hostile_event
from tests.servers.process import temporary_home
from tests.servers.worker import Worker
from tests.tools.factories import raised, wire_event

PASSWORD: Final = "correct horse battery"  # noqa: S105 - a test's own
_RULES: Final = """
[receivers.log]
type = "log"

[receivers.pager]
type = "webhook"
url = "{url}/no-such-hook"
allow_private_addresses = true

[receivers.chat]
type = "webhook"
url = "http://127.0.0.1:9/nobody-listens"
allow_private_addresses = true
"""
_LINKS: Final = {
    "FAULTWIRE_SOURCE_LINK": "https://git.example/{service}/blob/{release}/{path}#L{line}",
    "FAULTWIRE_TRACKER_LINK": "https://git.example/shop/issues/new?title={title}&body={body}",
}


@dataclass
class Site:
    """A worker that runs, and what stands in its store for a path to name."""

    worker: Worker
    names: dict[str, str] = field(default_factory=dict)
    """Fields of the paths in `pages.PAGES`: an incident, an event, a dead letter."""
    link: str = ""
    """The link with which ada sets her password, until she did."""
    is_closed: bool = False
    """People sign in."""
    cookies: StorageState | None = None
    """What ada's browser keeps once she came in."""
    token: str = ""
    """With which a program asks and sends, once people sign in."""

    def read(self, path: str) -> Any:
        """The JSON that stands at a path of the API."""
        request = urllib.request.Request(f"{self.worker.url}{path}", headers=self.headers)  # noqa: S310 - our own http
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
            return json.load(answer)

    @property
    def headers(self) -> dict[str, str]:
        """What a program says of itself."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@contextmanager
def site_of(*kinds: str) -> Iterator[Site]:
    """A worker whose store has what the kinds say: ``full``, ``absurd``; empty without any.

    Where there is something to protect, people sign in; the empty one is open, as a first start is.
    """
    with temporary_home("browser") as home:
        worker = Worker(home)
        rules = home / "rules.toml"
        rules.write_text(_RULES.format(url=worker.url))
        worker.environment |= {"FAULTWIRE_RULES": str(rules), **_LINKS}
        worker.start()
        try:
            site = Site(worker)
            for kind in kinds:
                _FILLERS[kind](site)
            if kinds:
                _close(site)
            yield site
        finally:
            worker.terminate()


def _close(site: Site) -> None:
    """From now on, people sign in: ada is an admin, grace was invited and did not come yet."""
    worker = site.worker
    worker.terminate()
    worker.environment["FAULTWIRE_ACCESS"] = "login"
    site.is_closed = True
    site.link = worker.command("access", "invite", "ada", "--role", "admin").strip()
    invited = worker.command("access", "invite", "grace", "--role", "viewer").strip()
    scopes = ("--scope", "ingest", "--scope", "read", "--scope", "act")
    made = worker.command("access", "token", "create", "shop", *scopes, "--service", "*")
    site.token = made.strip()
    origins = ("--origin", "https://shop.example", "--origin", "https://*.shop.example")
    worker.command("access", "token", "create", "--sentry-dsn", "shop-web", *origins)
    site.names["link"] = parse_qs(urlsplit(invited).query)["link"][0]
    worker.start()


def _fill_full(site: Site) -> None:
    events = list(_usual_events())
    for start in range(0, len(events), 50):
        ask(site, "/ingest/v1/events", events[start : start + 50])
    for fault in ({"service": ""}, {"id": "order-17", "severity": "high"}, {"schema_version": 99}):
        ask(site, "/ingest/v1/events", wire_event() | fault)
    for number, act, body in (
        (1, "acknowledge", {"actor": "ada", "note": "I look into it"}),
        (2, "resolve", {"actor": "grace", "release": "1.4.1"}),
        (3, "assign", {"actor": "ada", "to": "grace"}),
        (4, "mute", {"actor": "ada", "for_seconds": 3600}),
        (5, "comment", {"actor": "ada", "note": "the gateway's status page says: degraded"}),
        (6, "merge", {"actor": "ada", "into": "INC-7"}),
    ):
        ask(site, f"/api/v1/incidents/INC-{number}/{act}", body)
    _report(site, "billing", lost=3)
    for service in ("billing", "storefront"):
        for number, (name, version, lost) in enumerate(_SDKS):
            _report_sdk(site, service, f"{number}", sdk={"name": name, "version": version}, lost=lost)
    _silence(site, "billing", "we deploy")
    site.names["silence"] = str(site.read("/api/v1/silences")["silences"][0]["id"])
    site.names["notification"] = str(site.read("/api/v1/alerts?limit=1")["alerts"][0]["id"])
    site.names |= {"incident": "INC-1", "event": events[0]["id"], "letter": "1", "service": "billing"}


def _usual_events() -> Iterator[dict[str, Any]]:
    """Three days of a shop: thirty bugs, of which some are old, some new and some get worse."""
    now = datetime.now(UTC)
    for number in range(240):
        bug = number % 30
        at = now - timedelta(minutes=17 * number + bug)
        yield wire_event(
            now=at,
            severity=("low", "medium", "high", "critical")[bug % 4],
            service=("billing", "orders", "stock")[bug % 3],
            environment=("production", "staging")[bug % 2],
            release=f"1.4.{2 - number // 90}",
            message=f"cannot charge order {number}: the gateway refused it",
            exceptions=[_usual_error(bug, number), raised("TimeoutError", value="after 3 s")],
            user={"id": str(number % 19), "name": f"customer {number % 19}"},
            tags={"region": ("eu", "us", "ap")[number % 3], "plan": "team"},
            context={"order": number, "basket": ["apples", "pears"], "address": {"city": "Oslo"}},
            request={"method": "POST", "url": f"https://shop.example/orders/{number}"},
            breadcrumbs=[_crumb(at, step) for step in range(6)],
            trace_id=f"{number:032x}",
            host=f"web-{number % 4}",
            transaction="/orders/{id}/charge",
            producer_id=f"producer-{bug % 3}",
            sequence=number,
        )


def _usual_error(bug: int, number: int) -> dict[str, Any]:
    frames = [
        _frame("shop.web", "handle", 41, in_app=True),
        _frame("framework.routing", "dispatch", 118, in_app=False),
        _frame("framework.call", "call", 12, in_app=False),
        _frame(f"shop.gateway_{chr(97 + bug % 26)}", f"charge_{chr(97 + bug % 26)}", 7 + bug, in_app=True),
    ]
    kind = ("GatewayError", "KeyError", "OrderRefused", "StockError")[bug % 4]
    return {"type": kind, "module": "shop.errors", "value": f"order {number} was refused", "frames": frames}


def _frame(module: str, qualname: str, line: int, *, in_app: bool) -> dict[str, Any]:
    context = [
        f"def {qualname}(order):",
        "    # what the gateway says is final",
        "    return gateway.charge(order, order.total)  # noqa",
        "",
        "class Next: ...",
    ]
    file = f"/srv/{module.replace('.', '/')}.py"
    return {
        "file": file,
        "module": module,
        "qualname": qualname,
        "line": line,
        "in_app": in_app,
        "context": context,
    }


def _crumb(at: datetime, step: int) -> dict[str, Any]:
    when = (at - timedelta(seconds=6 - step)).isoformat(timespec="milliseconds")
    said = {"message": f"GET /stock/{step} 200", "data": {"ms": 12 + step}}
    return {"timestamp": when, "category": "http", **said}


def _fill_absurd(site: Site) -> None:
    events = [hostile_event(number, text) for number, text in enumerate(HOSTILE)]
    for event in events:
        ask(site, "/ingest/v1/events", event)
    first = _incident_of(site, events[0]["id"])
    for text in HOSTILE:
        ask(site, f"/api/v1/incidents/{first}/comment", {"actor": text[:60], "note": text[:1500]})
        ask(site, f"/api/v1/incidents/{first}/assign", {"actor": "ada", "to": text[:60]})
        ask(site, "/ingest/v1/events", hostile_event(0, text) | {"schema_version": text})
    second = _incident_of(site, events[1]["id"])
    ask(
        site,
        f"/api/v1/incidents/{second}/mute",
        {"actor": HOSTILE[0][:60], "reason": HOSTILE[0], "for_ever": True},
    )
    ask(site, f"/api/v1/incidents/{second}/resolve", {"actor": HOSTILE[1][:60], "release": HOSTILE[1][:200]})
    for text in HOSTILE:
        _report(site, text[:200], lost=1)
        _report_sdk(site, text[:200], text, sdk={"name": text, "version": text}, lost={text[:200]: 7})
        _silence(site, text[:200], text[:500])
    site.names |= {
        "absurd": first,
        "absurd_event": events[0]["id"],
        "long_event": events[HOSTILE.index(LONG)]["id"],
    }
    site.names.setdefault("incident", first)
    site.names.setdefault("event", events[0]["id"])
    site.names.setdefault("letter", "1")


def _incident_of(site: Site, event_id: str) -> str:
    return str(site.read(f"/api/v1/events/{event_id}")["incident_id"])


def _report(site: Site, service: str, *, lost: int) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    report = {
        "producer_id": f"reporter {service}"[:200],
        "service": service,
        "started_at": now,
        "last_sequence": 40,
        "host": service,
        "spool_depth": 5,
        "lost": [{"reason": service, "count": lost, "from": 1, "to": 9}],
        "sdk": {"name": service, "version": "1"},
    }
    ask(site, "/ingest/v1/events", report)


_SDKS: Final[tuple[tuple[str, str, dict[str, int]], ...]] = (
    ("sentry.javascript.browser", "11.0.0", {"ratelimit_backoff (error)": 64, "network_error (error)": 3}),
    ("sentry.python", "2.75.0", {}),
    ("sentry.python", "1.45.1", {"queue_overflow (error)": 1_204}),
    ("opentelemetry", "1.45.0", {}),
)


def _report_sdk(
    site: Site, service: str, number: str, *, sdk: dict[str, str], lost: Mapping[str, int]
) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    report = {
        "producer_id": f"gateway-edge-1-{number} {service}"[:200],
        "service": service,
        "started_at": now,
        "last_sequence": 0,
        "host": "edge-1",
        "lost": [{"reason": reason, "count": count, "from": 0, "to": 0} for reason, count in lost.items()],
        "sdk": sdk,
        "via": "gateway",
        "unnumbered": 12_345,
        "dropped": [{"kind": kind, "count": 40} for kind in ("session", "transaction", "span", service)],
    }
    ask(site, "/ingest/v1/events", report)


def _silence(site: Site, service: str, comment: str) -> None:
    body = {"where": {"service": [service]}, "comment": comment, "for_seconds": 7200, "actor": "ada"}
    ask(site, "/api/v1/silences", body)


def ask(site: Site, path: str, body: Mapping[str, Any] | Sequence[Any]) -> int:
    """Post JSON as a program does; returns the status, also where it was refused."""
    headers = {"Content-Type": "application/json"} | site.headers
    request = urllib.request.Request(  # noqa: S310 - our own http
        f"{site.worker.url}{path}", json.dumps(body).encode(), headers
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own http
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code


_FILLERS: Final = {"full": _fill_full, "absurd": _fill_absurd}
