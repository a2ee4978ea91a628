"""Notifications and rules over the API."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.contract.api.conftest import Site, serve
from tests.tools.clock import FixedClock
from tests.tools.recording import RecordingSender

from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent, Transient
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_consumer.store.access.audit import AuditFilter, list_audit
from faultwire_consumer.store.contract.store import Store
from faultwire_shared.event import ErrorSeverity, ExceptionInfo, Frame

PATH = "/api/v1/alerts"

pytestmark = pytest.mark.may_block("the shipped policy is a file")


def dispatcher_on(site: Site, *answers: Outcome) -> Dispatcher:
    sender = RecordingSender()
    sender.answers = list(answers)
    return Dispatcher(site.store, {"log": sender}, metrics=Metrics(), clock=site.clock)


class RoomySender(RecordingSender):
    """Shows the calls of an event."""

    frames_shown = 5


async def test_a_trace_shows_every_stage_and_every_attempt(site: Site) -> None:
    event = await site.send(severity=ErrorSeverity.CRITICAL)
    dispatcher = dispatcher_on(site, Transient(SendReason.BUSY, "429 of chat.example"))
    await dispatcher.run_once()
    site.clock.advance(1)
    await dispatcher.run_once()
    status, listed = await site.get(f"{PATH}?state=sent&incident=INC-1")
    assert status == 200
    (alert,) = listed["alerts"]
    assert (alert["idempotency_key"], alert["incident_id"], alert["attempts"]) == (
        "critical:INC-1:1:new:log",
        "INC-1",
        2,
    )
    _, traced = await site.get(f"{PATH}/{alert['id']}")
    assert traced["event_id"] == event.id
    assert [(one["stage"], one["decision"]) for one in traced["stages"]] == [
        ("open", "passed"),
        ("whole", "passed"),
        ("unmuted", "passed"),
        ("unacknowledged", "passed"),
        ("unsilenced", "passed"),
        ("throttle", "passed"),
    ]
    assert [(one["number"], one["outcome"], one["reason"]) for one in traced["tries"]] == [
        (1, "transient", "busy"),
        (2, "sent", None),
    ]
    assert traced["tries"][0]["detail"] == "429 of chat.example"


async def test_a_summary_names_what_it_carries_and_those_name_it(site: Site) -> None:
    for line in (1, 2):
        await site.send(severity=ErrorSeverity.HIGH, fingerprint=[f"f{line}"])
    site.clock.advance(300)
    await dispatcher_on(site).run_once()
    _, listed = await site.get(f"{PATH}?rule=high&severity=high&receiver=log")
    carried, carrier = listed["alerts"]
    assert (carrier["kind"], carried["state"]) == ("summary", "sent")
    _, summary = await site.get(f"{PATH}/{carrier['id']}")
    (told,) = summary["told"]
    assert (told["alert_id"], told["incident_id"]) == (carried["id"], carried["incident_id"])
    _, follower = await site.get(f"{PATH}/{carried['id']}")
    assert (follower["carrier_id"], follower["stages"][-1]["decision"]) == (carrier["id"], "carried")
    _, listed = await site.get(f"{PATH}?carrier={carrier['id']}")
    assert [one["id"] for one in listed["alerts"]] == [carried["id"]]
    _, page = await site.page(f"/told?carrier={carrier['id']}")
    assert f'Told together with <a href="/told/{carrier["id"]}">' in page
    assert carried["incident_id"] in page


async def test_only_a_sender_that_shows_calls_is_given_those_of_the_event(site: Site) -> None:
    frames = [Frame(file="billing/pay.py", line=10, qualname="charge")]
    crash = ExceptionInfo(type="E", module="m", value="x", frames=frames)
    for roomy in (False, True):
        await site.send(severity=ErrorSeverity.CRITICAL, exceptions=[crash], fingerprint=[str(roomy)])
        sender = RoomySender() if roomy else RecordingSender()
        await Dispatcher(site.store, {"log": sender}, metrics=Metrics(), clock=site.clock).run_once()
        (told,) = sender.received
        assert told.frames == (("billing/pay.py:10 in charge",) if roomy else ())


async def test_what_only_some_recipients_have_is_sent_and_says_so(site: Site) -> None:
    await site.send(severity=ErrorSeverity.CRITICAL)
    await dispatcher_on(site, Sent("the mail server took it for 1 of 2 recipients")).run_once()
    _, traced = await site.get(f"{PATH}/1")
    assert traced["state"] == "sent"
    (attempt,) = traced["tries"]
    assert (attempt["outcome"], attempt["reason"]) == ("sent", None)
    assert attempt["detail"] == "the mail server took it for 1 of 2 recipients"


async def test_a_broken_template_is_told_of_in_api_and_page(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    text = f'[receivers.team]\ntype = "log"\ntemplate = "{tmp_path / "<none>"}"\n'
    policy = parse_policy(text, shipped=await asyncio.to_thread(shipped_text))
    senders = await asyncio.to_thread(senders_of, policy, clock=clock)
    async with serve(store, clock, policy=policy, senders=lambda: senders) as site:
        _, shown = await site.get("/api/v1/rules")
        (receiver,) = shown["receivers"]
        assert receiver["own_templates"]
        assert "the folder has none of subject.txt" in receiver["template_fault"]
        answer = await site.client.get("/rules")
        page = await answer.text()
        assert "templates of its own" in page
        assert "The built-in words stand in: " in page
        assert "&lt;none&gt;:1: the folder has none of" in page


async def test_a_page_of_alerts_goes_on_where_it_ended(site: Site) -> None:
    for line in range(3):
        await site.send(severity=ErrorSeverity.CRITICAL, fingerprint=[f"f{line}"])
    _, first = await site.get(f"{PATH}?limit=2")
    _, rest = await site.get(f"{PATH}?limit=2&cursor={first['next_cursor']}")
    assert [one["id"] for one in first["alerts"] + rest["alerts"]] == [3, 2, 1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("path", [f"{PATH}/9", f"{PATH}/INC-1", f"{PATH}/99999999999999999999"])
async def test_an_alert_that_does_not_exist_is_not_found(site: Site, path: str) -> None:
    status, document = await site.get(path)
    assert (status, document["error"]["code"]) == (404, "ALERT_NOT_FOUND")


async def test_the_policy_in_use_is_shown_in_the_words_of_its_file(site: Site) -> None:
    status, policy = await site.get("/api/v1/rules")
    assert status == 200
    own: dict[str, Any] = {
        "own_templates": False,
        "template_fault": None,
        "quiet_hours": [],
        "digest": None,
        "owners": [],
        "hears": [],
    }
    assert policy["receivers"] == [{"name": "log", "type": "log", "signed": False, **own}]
    assert (policy["file"], policy["wrong"], policy["wrong_since"]) == (None, None, None)
    assert {rule["name"]: rule["send"] for rule in policy["rules"]} == {
        "critical": "now",
        "high": "within 5m",
        "medium": "daily at 09:00 UTC",
        "low": "weekly on monday at 09:00 UTC",
    }
    assert policy["rules"][0]["where"] == {"severity": ["critical"]}
    assert policy["rules"][0]["remind_every"] == "1h"


async def test_an_alert_that_was_given_up_is_sent_again_and_its_trace_says_by_whom(site: Site) -> None:
    await site.send(severity=ErrorSeverity.CRITICAL)
    await dispatcher_on(site, Permanent(SendReason.GONE, "410 Gone")).run_once()
    status, alert = await site.post(f"{PATH}/1/resend", json={"actor": "ana", "note": "it is back"})
    assert (status, alert["state"], alert["state_reason"]) == (200, "waiting", "resent")
    assert alert["stages"][-1]["detail"] == "by ana: it is back"
    status, document = await site.post(f"{PATH}/1/resend")
    assert (status, document["error"]["code"]) == (409, "ALERT_CONFLICT")
    await dispatcher_on(site).run_once()
    _, sent = await site.get(f"{PATH}/1")
    assert (sent["state"], [one["outcome"] for one in sent["tries"]]) == ("sent", ["permanent", "sent"])
    audit = await list_audit(site.store, AuditFilter(), limit=5)
    assert [(one.object, one.detail) for one in audit.rows] == [("alerts/1", "resend")]
    for unknown in ("9", "INC-1", "x"):
        status, document = await site.post(f"{PATH}/{unknown}/resend")
        assert (status, document["error"]["code"]) == (404, "ALERT_NOT_FOUND")


async def test_a_receiver_is_tested_by_its_own_sender_and_the_outcome_is_told(
    store: Store, clock: FixedClock
) -> None:
    sender = RecordingSender("pager")
    sender.answers = [Permanent(SendReason.GONE, "410 Gone")]
    async with serve(store, clock, senders=lambda: {"pager": sender}) as site:
        status, failed = await site.post("/api/v1/receivers/pager/test", json={"actor": "ana"})
        assert status == 200
        assert (failed["outcome"], failed["reason"], failed["detail"]) == ("permanent", "gone", "410 Gone")
        _, taken = await site.post("/api/v1/receivers/pager/test")
        assert (taken["receiver"], taken["outcome"], taken["reason"]) == ("pager", "sent", None)
        assert sender.keys == [failed["idempotency_key"], taken["idempotency_key"]]
        status, document = await site.post("/api/v1/receivers/pagr/test")
        assert (status, document["error"]["code"]) == (404, "RECEIVER_NOT_FOUND")
        for _ in range(4):
            await site.post("/api/v1/receivers/pager/test")
        status, document = await site.post("/api/v1/receivers/pager/test")
        assert (status, document["error"]["code"]) == (429, "TOO_MANY_TESTS")
        assert len(sender.received) == 6
        assert (await site.get(PATH))[1]["alerts"] == []
        audit = await list_audit(store, AuditFilter(), limit=10)
        assert {(one.object, one.detail) for one in audit.rows} == {("receivers/pager", "test")}
