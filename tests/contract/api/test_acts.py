"""Operators' verbs over the API, on both databases: mutes, releases, assignments, merges, many at once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.contract.api.conftest import Site

from faultwire_consumer.store.schema.events import hourly, incidents
from faultwire_consumer.store.schema.notify import outbox
from faultwire_shared.event import ErrorSeverity

API = "/api/v1/incidents"


async def act(site: Site, verb: str, name: str = "INC-1", **body: Any) -> Any:
    status, document = await site.post(f"{API}/{name}/{verb}", body)
    assert status == 200, document
    return document


async def refused(site: Site, verb: str, name: str = "INC-1", **body: Any) -> Any:
    status, document = await site.post(f"{API}/{name}/{verb}", body)
    assert status == 409, document
    return document["error"]


async def shown(site: Site, name: str = "INC-1") -> Any:
    status, document = await site.get(f"{API}/{name}")
    assert status == 200, document
    return document


async def many(site: Site, verb: str, **body: Any) -> Any:
    status, document = await site.post(f"{API}/bulk", {"verb": verb} | body)
    assert status == 200, document
    return {one["id"]: one["outcome"] for one in document["incidents"]}


def reasons(document: Any) -> list[str]:
    """The reasons of an incident's history, the oldest first."""
    return [entry["reason"] for entry in reversed(document["history"])]


async def test_a_resolve_in_a_release_is_reopened_by_it_and_not_by_an_older_one(site: Site) -> None:
    await site.send(release="2.4.1")
    resolved = await act(site, "resolve", release="2.4.2", note="the gateway is asked again")
    assert resolved["resolved_in"] == {"release": "2.4.2", "bound": "from", "environment": None}
    assert resolved["history"][0]["detail"] == "in release 2.4.2"
    assert resolved["history"][0]["note"] == "the gateway is asked again"
    await site.send(release="2.4.1")
    document = await shown(site)
    assert (document["status"], document["count"]) == ("resolved", 2)
    again = await site.send(release="2.10.0")
    document = await shown(site)
    assert (document["status"], document["episode"], document["resolved_in"]) == ("open", 2, None)
    assert document["history"][0]["event_id"] == again.id


async def test_the_next_release_is_after_the_newest_that_the_service_is_known_to_have(site: Site) -> None:
    await site.send(kind="Other", release="2.5.0")
    await site.send(release="2.4.9")
    resolved = await act(site, "resolve", "INC-2", next_release=True)
    assert resolved["resolved_in"] == {"release": "2.5.0", "bound": "after", "environment": None}
    await site.send(release="2.5.0")
    assert (await shown(site, "INC-2"))["status"] == "resolved"
    await site.send(release="2.5.1")
    assert (await shown(site, "INC-2"))["status"] == "open"


async def test_releases_named_as_sentry_s_sdks_name_them_are_compared_by_their_version(site: Site) -> None:
    await site.send(release="shop@1.9.0+build7")
    await act(site, "resolve", release="1.10.0")
    await site.send(release="shop@1.9.1+build9")
    assert (await shown(site))["status"] == "resolved"
    await site.send(release="@acme/shop@1.10.0+build10")
    assert ((await shown(site))["status"], (await shown(site))["episode"]) == ("open", 2)
    await act(site, "resolve", next_release=True)
    await site.send(release="shop@1.10.0+build11")
    assert (await shown(site))["status"] == "resolved"
    await site.send(release="shop@1.10.1+build12")
    assert (await shown(site))["status"] == "open"


async def test_releases_that_are_no_versions_follow_each_other_as_they_were_first_seen(site: Site) -> None:
    await site.send(release="fe12")
    await site.send(kind="Other", release="0a77")
    await act(site, "resolve", release="0a77")
    await site.send(release="fe12")
    assert (await shown(site))["status"] == "resolved"
    await site.send(release="0a77")
    assert (await shown(site))["status"] == "open"


async def test_an_event_from_staging_does_not_reopen_what_was_resolved_in_production(site: Site) -> None:
    await site.send(environment="production")
    await act(site, "resolve", environment="production")
    await site.send(environment="staging")
    assert (await shown(site))["status"] == "resolved"
    await site.send(environment="production")
    assert (await shown(site))["status"] == "open"


async def test_a_mute_until_n_more_holds_back_and_ends_with_the_last_of_them(site: Site) -> None:
    await site.send()
    muted = await act(site, "mute", count=3, reason="being looked at")
    assert muted["muted"] == {
        "since": muted["history"][0]["at"],
        "ends": "until 3 more",
        "until": None,
        "count": 3,
        "within_seconds": None,
        "next_release": False,
        "after_release": None,
        "reason": "being looked at",
    }
    for _ in range(2):
        await site.send()
    assert (await shown(site))["muted"] is not None
    last = await site.send()
    document = await shown(site)
    assert (document["muted"], document["status"], document["count"]) == (None, "open", 4)
    assert document["history"][0]["reason"] == "mute_ended"
    assert document["history"][0]["event_id"] == last.id


async def test_a_mute_until_n_within_a_time_counts_in_its_own_window(site: Site) -> None:
    await site.send()
    await act(site, "mute", count=3, within_seconds=60)
    for _ in range(3):
        site.clock.advance(timedelta(minutes=2))
        await site.send()
    assert (await shown(site))["muted"] is not None
    await site.send()
    await site.send()
    assert (await shown(site))["muted"] is None


async def test_a_mute_for_a_time_ends_with_the_first_event_after_it(site: Site) -> None:
    await site.send()
    await act(site, "mute", for_seconds=3600)
    site.clock.advance(timedelta(hours=2))
    assert (await shown(site))["muted"] is not None
    await site.send()
    assert reasons(await shown(site)) == ["opened", "muted", "mute_ended"]


async def test_a_mute_until_the_next_release_ends_with_it(site: Site) -> None:
    await site.send(release="1.0")
    await act(site, "mute", next_release=True)
    await site.send(release="1.0")
    assert (await shown(site))["muted"]["ends"] == "until a release after 1.0"
    await site.send(release="1.1")
    assert (await shown(site))["muted"] is None


async def test_a_rise_of_severity_ends_even_a_mute_for_ever(site: Site) -> None:
    await site.send(severity=ErrorSeverity.LOW)
    await act(site, "acknowledge")
    await act(site, "mute", for_ever=True, reason="a partner's fault")
    await site.send(severity=ErrorSeverity.CRITICAL)
    document = await shown(site)
    assert (document["status"], document["muted"]) == ("open", None)
    assert document["history"][0]["detail"] == "its mute ended with that"


async def test_an_acknowledgement_for_a_time_ends_with_the_first_event_after_it(site: Site) -> None:
    await site.send()
    known = await act(site, "acknowledge", for_seconds=3600)
    assert known["acknowledged_until"] is not None
    await site.send()
    assert (await shown(site))["status"] == "acknowledged"
    site.clock.advance(timedelta(hours=1))
    await site.send()
    assert reasons(await shown(site)) == ["opened", "acknowledged", "acknowledge_ended"]


async def test_whoever_has_an_incident_keeps_it_when_it_comes_back(site: Site) -> None:
    await site.send()
    assert (await act(site, "assign", to="ada"))["assignee"] == "ada"
    await act(site, "resolve")
    await site.send()
    document = await shown(site)
    assert (document["status"], document["assignee"]) == ("open", "ada")
    assert (await act(site, "unassign"))["assignee"] is None


async def test_a_comment_stands_in_the_history_with_its_lines(site: Site) -> None:
    await site.send()
    document = await act(site, "comment", note="asked the partner\nthey know", actor="ada")
    entry = document["history"][0]
    assert (entry["reason"], entry["actor"], entry["note"]) == (
        "commented",
        "ada",
        "asked the partner\nthey know",
    )
    assert "asked the partner" in (await site.page("/incidents/INC-1"))[1]


async def test_every_change_is_a_version_more_and_an_old_one_is_told_who_was_quicker(site: Site) -> None:
    await site.send()
    first = await shown(site)
    assert first["version"] == 1
    assert (await act(site, "acknowledge", actor="bob", version=1))["version"] == 2
    error = await refused(site, "resolve", version=1)
    assert "acknowledged by bob" in error["message"]
    details = error["details"]
    assert (details["status"], details["version"], details["changed_by"]) == ("acknowledged", 2, "bob")
    error = await refused(site, "assign", to="ada", if_status="open")
    assert "acknowledged by now" in error["message"]
    assert (await act(site, "resolve", if_status="acknowledged"))["version"] == 3
    assert (await act(site, "resolve"))["version"] == 3


async def test_arguments_that_cannot_be_are_named_and_change_nothing(site: Site) -> None:
    await site.send()
    for verb, body in (
        ("mute", {}),
        ("mute", {"for_ever": True}),
        ("resolve", {"release": "1", "next_release": True}),
        ("assign", {}),
        ("comment", {"note": " "}),
        ("merge", {"into": "INC-2", "unknown": 1}),
    ):
        status, document = await site.post(f"{API}/INC-1/{verb}", body)
        assert (status, document["error"]["code"]) == (400, "VALIDATION_FAILED"), (verb, body)
    assert (await shown(site))["version"] == 1


async def test_merged_incidents_are_one_and_future_events_follow(site: Site) -> None:
    await site.send(kind="A", severity=ErrorSeverity.LOW)
    for _ in range(3):
        await site.send(kind="B", severity=ErrorSeverity.MEDIUM)
    await act(site, "merge", "INC-2", into="INC-1", actor="ada", note="one cause")
    whole = await shown(site)
    assert (whole["count"], whole["severity"], whole["merged"]) == (4, "medium", ["INC-2"])
    assert (await shown(site, "INC-2"))["id"] == "INC-1"
    (place,) = await site.store.read(select(incidents.c.began_at).where(incidents.c.id == 1))
    assert place.began_at is not None, "its place in the lists follows at once"
    await site.send(kind="B")
    assert (await shown(site))["count"] == 5
    _, listed = await site.get(API)
    assert [one["id"] for one in listed["incidents"]] == ["INC-1"]
    error = await refused(site, "resolve", "INC-2")
    assert error["details"]["merged_into"] == "INC-1"
    assert "merged into INC-1" in error["message"]


async def test_an_unmerge_splits_exactly_what_was_counted_before_and_since(site: Site) -> None:
    await site.send(kind="A", severity=ErrorSeverity.LOW, release="1.0")
    first = await site.send(kind="B", severity=ErrorSeverity.MEDIUM, release="2.0")
    before = {name: await shown(site, name) for name in ("INC-1", "INC-2")}
    await act(site, "merge", "INC-2", into="INC-1")
    last = await site.send(kind="B", severity=ErrorSeverity.HIGH, release="2.1")
    await site.send(kind="A", severity=ErrorSeverity.LOW, release="1.1")
    document = await act(site, "unmerge", "INC-2", actor="ada")
    assert (document["id"], document["count"], document["severity"]) == ("INC-2", 2, "high")
    assert (document["last_release"], document["status"]) == ("2.1", "open")
    assert document["first_seen_at"] == before["INC-2"]["first_seen_at"]
    assert document["last_seen_at"].startswith(f"{last.occurred_at:%Y-%m-%dT%H:%M:%S}")
    left = await shown(site)
    assert (left["count"], left["severity"], left["last_release"], left["merged"]) == (2, "low", "1.1", [])
    assert left["first_seen_at"] == before["INC-1"]["first_seen_at"]
    assert reasons(left)[-2:] == ["merged", "unmerged"]
    await site.send(kind="B")
    assert ((await shown(site, "INC-2"))["count"], (await shown(site))["count"]) == (3, 2)
    assert first.occurred_at < last.occurred_at
    kept = await site.store.read(select(incidents.c.id, incidents.c.bodies).order_by(incidents.c.id))
    assert [row.bodies for row in kept] == [2, 3]
    await agree(site)


async def agree(site: Site) -> None:
    """The counters of incidents and hours are one sum."""
    (total,) = await site.store.read(select(func.sum(incidents.c.count)))
    (hours,) = await site.store.read(select(func.sum(hourly.c.count)))
    assert int(total[0]) == int(hours[0])


async def test_merges_one_after_the_other_come_apart_in_the_other_order(site: Site) -> None:
    for kind in ("A", "B", "C"):
        await site.send(kind=kind)
    await act(site, "merge", "INC-3", into="INC-2")
    await act(site, "merge", "INC-2", into="INC-1")
    assert (await shown(site, "INC-3"))["id"] == "INC-1"
    await site.send(kind="C")
    error = await refused(site, "unmerge", "INC-3")
    assert "unmerge INC-2 first" in error["message"]
    assert (await act(site, "unmerge", "INC-2"))["count"] == 3
    assert (await act(site, "unmerge", "INC-3"))["count"] == 2
    assert [(await shown(site, f"INC-{number}"))["count"] for number in (1, 2, 3)] == [1, 1, 2]
    await agree(site)


async def test_what_cannot_be_merged_says_why(site: Site) -> None:
    await site.send(kind="A")
    await site.send(kind="B", service="shop")
    await site.send(kind="C")
    await act(site, "merge", "INC-3", into="INC-1")
    for name, into, why in (
        ("INC-1", "INC-1", "into itself"),
        ("INC-1", "INC-2", "two services"),
        ("INC-1", "INC-9", "no incident INC-9"),
        ("INC-1", "INC-3", "was merged itself"),
        ("INC-3", "INC-2", "merged into INC-1"),
    ):
        assert why in (await refused(site, "merge", name, into=into))["message"]
    assert "was not merged" in (await refused(site, "unmerge", "INC-1"))["message"]


async def test_an_unresolved_incident_that_is_merged_into_a_resolved_one_opens_it(site: Site) -> None:
    await site.send(kind="A")
    await site.send(kind="B")
    await act(site, "resolve", "INC-1")
    await act(site, "merge", "INC-2", into="INC-1")
    assert (await shown(site))["status"] == "open"


async def test_one_request_acts_on_many_and_tells_of_each(site: Site) -> None:
    for kind in ("A", "B", "C"):
        await site.send(kind=kind)
    await act(site, "resolve", "INC-2")
    outcomes = await many(site, "acknowledge", ids=["INC-1", "INC-2", "INC-2", "INC-9"])
    assert outcomes == {"INC-1": "changed", "INC-2": "refused", "INC-9": "not_found"}
    assert await many(site, "acknowledge", ids=["INC-1"]) == {"INC-1": "unchanged"}
    assert await many(site, "merge", ids=["INC-2", "INC-3"], arguments={"into": "INC-1"}) == {
        "INC-2": "changed",
        "INC-3": "changed",
    }
    assert (await shown(site))["count"] == 3


async def test_a_dry_run_says_what_would_be_and_changes_nothing(site: Site) -> None:
    await site.send(kind="A", severity=ErrorSeverity.LOW)
    await site.send(kind="B")
    await act(site, "resolve", "INC-2")
    for verb, arguments in (
        ("acknowledge", {}),
        ("resolve", {"release": "2"}),
        ("mute", {"count": 5}),
        ("assign", {"to": "ada"}),
        ("merge", {"into": "INC-2"}),
    ):
        outcomes = await many(site, verb, ids=["INC-1"], arguments=arguments, dry_run=True)
        assert outcomes == {"INC-1": "changed"}
    assert await many(site, "mute", ids=["INC-2"], arguments={"count": 5}, dry_run=True) == {
        "INC-2": "refused"
    }
    document = await shown(site)
    assert (document["version"], document["status"], document["assignee"]) == (1, "open", None)
    assert reasons(document) == ["opened"]


async def test_a_query_chooses_and_one_that_means_everything_is_refused(site: Site) -> None:
    await site.send(kind="A", service="shop")
    await site.send(kind="B", service="billing")
    assert await many(site, "acknowledge", query="service:shop") == {"INC-1": "changed"}
    bad: list[dict[str, Any]] = [{"query": ""}, {"query": "x:y"}, {}, {"ids": []}, {"ids": ["x"]}]
    bad.append({"ids": ["INC-1"], "query": "is:open"})
    for body in bad:
        status, _ = await site.post(f"{API}/bulk", {"verb": "resolve"} | body)
        assert status == 400, body
    assert (await shown(site, "INC-2"))["status"] == "open"


async def test_more_than_a_request_takes_is_refused_whole(site: Site) -> None:
    await site.send()
    ids = [f"INC-{number}" for number in range(1, 502)]
    status, _ = await site.post(f"{API}/bulk", {"verb": "resolve", "ids": ids})
    assert status == 400
    assert (await shown(site))["status"] == "open"


@pytest.mark.parametrize("text", ["\x1b[2J", "<script>", "{{ 7*7 }}", "\u202e", "' OR 1=1 --"])
async def test_hostile_words_are_kept_as_words_or_refused(site: Site, text: str) -> None:
    await site.send()
    status, document = await site.post(f"{API}/INC-1/assign", {"to": text, "note": text})
    if status == 200:
        assert (document["assignee"], document["history"][0]["note"]) == (text, text)
    else:
        assert (status, document["error"]["code"]) == (400, "VALIDATION_FAILED")
    page = (await site.page("/incidents/INC-1"))[1]
    assert "<script>" not in page.replace("<script src", "")
    assert "\x1b" not in page


async def test_the_page_of_a_merged_incident_leads_to_the_one_that_has_it(site: Site) -> None:
    await site.send(kind="A")
    await site.send(kind="B")
    await act(site, "mute", for_seconds=3600)
    await act(site, "assign", to="ada")
    await act(site, "merge", "INC-2", into="INC-1")
    status, page = await site.page("/incidents/INC-2")
    assert status == 200
    assert "INC-1" in page
    assert "muted until" in (await site.page("/?query=is:muted"))[1]
    assert "ada has it" in (await site.page("/?query=is:muted"))[1]


async def test_notifications_of_what_was_muted_are_still_written_for_whoever_asks_why(site: Site) -> None:
    await site.send(severity=ErrorSeverity.CRITICAL)
    await act(site, "mute", for_ever=True, reason="known")
    for _ in range(12):
        await site.send(severity=ErrorSeverity.CRITICAL)
    rows = await site.store.read(select(outbox.c.reason).where(outbox.c.incident_id == 1))
    assert "growth" in [row.reason for row in rows]
