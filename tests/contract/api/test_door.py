"""What holds for every route: errors, guards, headers, probes, metrics."""

import re

import msgspec
import pytest
from tests.contract.api.conftest import Site, serve
from tests.tools.accept import ACCEPTS
from tests.tools.clock import FixedClock
from tests.tools.waiting import until

from faultwire_consumer.actions import incident as actions
from faultwire_consumer.serving.refusal import WorkerBusyError
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_shared.event import MESSAGE_BYTES

# Nothing here depends on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_errors_come_in_the_standard_format(site: Site) -> None:
    async with site.client.get("/api/v1/incidents/INC-9") as answer:
        assert answer.content_type == "application/json"
        document = await answer.json()
    assert list(document) == ["error"]
    error = document["error"]
    assert list(error) == ["id", "message", "code", "severity", "timestamp", "details"]
    assert re.fullmatch(r"error_\d{8}_[a-z0-9]{6,32}", error["id"])
    assert error["timestamp"] == "2026-11-23T12:00:00.000Z"
    assert error["severity"] == "medium"
    assert error["message"] == "there is no incident INC-9"


async def test_problem_json_on_request(site: Site) -> None:
    headers = {"Accept": "application/problem+json"}
    async with site.client.get("/api/v1/incidents/INC-9", headers=headers) as answer:
        assert answer.content_type == "application/problem+json"
        problem = await answer.json(content_type=None)
    assert problem["status"] == 404
    assert problem["title"] == "Not Found"
    assert problem["instance"] == "/api/v1/incidents/INC-9"
    assert problem["code"] == "INCIDENT_NOT_FOUND"


@pytest.mark.parametrize(("accept", "expected"), ACCEPTS)
async def test_a_caller_gets_what_it_prefers(site: Site, accept: str | None, expected: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    path = "/api/v1/incidents/INC-9"
    async with site.client.get(path, headers=headers, skip_auto_headers=["Accept"]) as answer:
        assert (answer.status, answer.content_type) == (404, expected)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/json;q=0.5, text/html", "text/html"),
        ("*/*", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("application/problem+json, text/html;q=0.5", "application/problem+json"),
    ],
)
async def test_where_people_look_a_failure_is_a_page_to_whom_asks_for_one(
    site: Site, accept: str, expected: str
) -> None:
    async with site.client.get("/incidents/INC-9", headers={"Accept": accept}) as answer:
        assert (answer.status, answer.content_type) == (404, expected)


async def test_probes_speak_health_json_to_whom_prefers_it(site: Site) -> None:
    for accept, expected in (
        ("application/health+json", "application/health+json"),
        ("application/health+json;q=0", "application/json"),
        ("application/json, application/health+json;q=0.5", "application/json"),
    ):
        async with site.client.get("/livez", headers={"Accept": accept}) as answer:
            assert answer.content_type == expected


async def test_unknown_routes_and_methods(site: Site) -> None:
    status, document = await site.get("/api/v1/nothing")
    assert (status, document["error"]["code"]) == (404, "NOT_FOUND")
    async with site.client.delete("/api/v1/incidents") as answer:
        assert answer.status == 405
        assert "GET" in answer.headers["Allow"]
        assert (await answer.json())["error"]["code"] == "METHOD_NOT_ALLOWED"


async def test_a_store_that_is_away_is_a_503_without_internals(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise StoreUnavailableError("secret-host:5432 refused")

    monkeypatch.setattr(site.store, "read", fail)
    async with site.client.get("/api/v1/incidents") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "30"
        text = await answer.text()
    assert "DATABASE_UNAVAILABLE" in text
    assert "secret" not in text
    status, page = await site.page("/")
    assert status == 503
    assert "secret" not in page


async def test_a_defect_is_a_500_without_internals_whose_id_leads_to_the_event(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("internal detail")

    with monkeypatch.context() as broken:
        broken.setattr(actions, "get_incident", fail)
        status, document = await site.get("/api/v1/incidents/INC-9")
    assert (status, document["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "internal detail" not in str(document)
    error_id = document["error"]["id"]
    (line,) = [one for one in caplog.records if getattr(one, "event", "") == "error.handled"]
    assert line.__dict__["error_id"] == error_id
    assert line.exc_info is not None
    assert str(line.exc_info[1]) == "internal detail"

    async def is_stored() -> bool:
        return (await site.get(f"/api/v1/events/{error_id}"))[0] == 200

    await until(is_stored, "the id of the answer leads to the event")
    _, event = await site.get(f"/api/v1/events/{error_id}")
    assert (event["service"], event["transaction"]) == ("faultwire", "GET /api/v1/incidents/{id}")
    assert (await site.page(f"/e/{error_id}"))[0] == 200


async def test_what_a_library_says_of_a_value_is_a_defect_and_is_not_repeated(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise msgspec.ValidationError("expected `int`, got `str` - at `$.internal_row`")

    with monkeypatch.context() as broken:
        broken.setattr(actions, "get_incident", fail)
        status, document = await site.get("/api/v1/incidents/INC-9")
    assert (status, document["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "internal_row" not in str(document)


async def test_what_the_worker_announces_is_no_event_for_each_who_asks(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(*_: object) -> None:
        raise WorkerBusyError("internal detail")

    with monkeypatch.context() as broken:
        broken.setattr(actions, "get_incident", refuse)
        async with site.client.get("/api/v1/incidents/INC-9") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
            assert "internal detail" not in await answer.text()
    assert [one for one in caplog.records if one.levelname in ("WARNING", "ERROR")] == []


async def test_a_burst_of_one_defect_is_one_id(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("internal detail")

    with monkeypatch.context() as broken:
        broken.setattr(actions, "get_incident", fail)
        documents = [(await site.get(f"/api/v1/incidents/INC-{number}"))[1] for number in range(1, 6)]
    assert len({document["error"]["id"] for document in documents}) == 1


async def test_every_answer_carries_what_protects_its_reader(site: Site) -> None:
    await site.send()
    for path in (
        "/",
        "/incidents/INC-1",
        "/api/v1/incidents",
        "/nothing",
        "/livez",
        "/metrics",
        "/static/page.css",
    ):
        async with site.client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])
            assert "aiohttp" not in answer.headers["Server"]


async def test_a_request_id_is_kept_if_it_is_one(site: Site) -> None:
    async with site.client.get("/livez", headers={"X-Request-ID": "abc-123"}) as answer:
        assert answer.headers["X-Request-ID"] == "abc-123"
    async with site.client.get("/livez", headers={"X-Request-ID": "<script>"}) as answer:
        assert answer.headers["X-Request-ID"] != "<script>"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8787", "192.168.1.9", "localhost.evil.example", "[::2]"]
)
async def test_another_name_for_this_machine_is_not_answered(site: Site, host: str) -> None:
    status, document = await site.get("/api/v1/incidents", Host=host)
    assert (status, document["error"]["code"]) == (421, "MISDIRECTED_REQUEST")


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:1", "[::1]:8787", "faultwire.localhost", "127.9.9.9"]
)
async def test_loopback_names_are_answered(site: Site, host: str) -> None:
    assert (await site.get("/api/v1/incidents", Host=host))[0] == 200


PUBLIC = "http://errors.internal/"


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/", "evil.example", 421),
        ("/api/v1/incidents", "evil.example:8787", 421),
        ("/api/v1/incidents", "10.1.2.3:8787", 200),
        ("/api/v1/incidents", "errors.internal", 200),
        ("/api/v1/incidents", "worker-1:8787", 200),
        ("/livez", "10.1.2.3:8787", 200),
        ("/metrics", "faultwire.monitoring.svc", 200),
    ],
)
async def test_where_all_may_ask_only_probes_answer_to_any_name(
    store: Store, clock: FixedClock, path: str, host: str, status: int
) -> None:
    async with (
        serve(store, clock, loopback_only=False, public_url=PUBLIC, allowed_hosts=["worker-1"]) as site,
        site.client.get(path, headers={"Host": host}) as answer,
    ):
        assert answer.status == status


async def test_programs_send_events_to_any_name_and_pages_do_not(store: Store, clock: FixedClock) -> None:
    host = {"Host": "evil.example"}
    async with serve(store, clock, loopback_only=False) as site:
        async with site.client.post("/ingest/v1/events", json={}, headers=host) as answer:
            assert answer.status == 202
        page = host | {"Origin": "http://evil.example"}
        async with site.client.post("/ingest/v1/events", json={}, headers=page) as answer:
            assert answer.status == 421


@pytest.mark.parametrize(
    ("origin", "status"), [("http://errors.internal", 200), ("http://evil.example", 403), ("null", 403)]
)
async def test_a_button_behind_a_proxy_is_obeyed_by_the_page_s_public_address(
    store: Store, clock: FixedClock, origin: str, status: int
) -> None:
    async with serve(store, clock, public_url=PUBLIC) as site:
        await site.send()
        assert (await site.post("/api/v1/incidents/INC-1/resolve", Origin=origin))[0] == status


@pytest.mark.parametrize(
    ("path", "mode", "dest", "status"),
    [
        ("/", "navigate", "document", 200),
        ("/", "navigate", "iframe", 403),
        ("/", "no-cors", "image", 403),
        ("/api/v1/incidents", "navigate", "document", 403),
        ("/api/v1/incidents", "no-cors", "image", 403),
        ("/livez", "no-cors", "image", 200),
    ],
)
async def test_another_sites_page_may_link_to_ours_and_starts_no_query(
    site: Site, path: str, mode: str, dest: str, status: int
) -> None:
    for where in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": where, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        async with site.client.get(path, headers=headers) as answer:
            assert answer.status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "none"}, 200),
        ({}, 200),
    ],
)
async def test_another_sites_page_changes_nothing(site: Site, headers: dict[str, str], status: int) -> None:
    await site.send()
    assert (await site.post("/api/v1/incidents/INC-1/resolve", **headers))[0] == status


async def test_the_intake_takes_only_json_from_other_sites_and_bounds_the_body(site: Site) -> None:
    cross = {"Sec-Fetch-Site": "cross-site"}
    path = "/ingest/v1/events"
    async with site.client.post(path, data=b"{}", headers={**cross, "Content-Type": "text/plain"}) as answer:
        assert answer.status == 415
    async with site.client.post(path, json={}, headers=cross) as answer:
        assert answer.status == 202
    async with site.client.post(path, data=b"x" * MESSAGE_BYTES) as answer:
        assert answer.status == 202
    async with site.client.post(path, data=b"x" * (MESSAGE_BYTES + 1)) as answer:
        assert answer.status == 413
        assert (await answer.json())["error"]["code"] == "BODY_TOO_LARGE"
    too_large, accepts = b"x" * (MESSAGE_BYTES + 1), {"Accept": "application/problem+json"}
    async with site.client.post(path, data=too_large, headers=accepts) as answer:
        assert (await answer.json())["title"] == "Request Entity Too Large"


async def test_probes_answer_by_their_checks(site: Site) -> None:
    status, report = await site.get("/readyz")
    assert (status, report["status"]) == (200, "healthy")
    assert [check["name"] for check in report["checks"]] == ["store", "lane"]
    site.ready.append(RuntimeError("queue is gone"))
    async with site.client.get("/readyz") as answer:
        assert answer.status == 503
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await answer.json())["checks"][1]["error"] == "queue is gone"
    assert (await site.get("/readyz?exclude=lane"))[0] == 200
    assert (await site.get("/livez"))[0] == 200
    async with site.client.get("/readyz?verbose") as answer:
        assert await answer.text() == "[+]store ok\n[-]lane failed: queue is gone\nreadyz check failed\n"
    async with site.client.get("/readyz", headers={"Accept": "application/health+json"}) as answer:
        document = await answer.json(content_type="application/health+json")
    assert document["status"] == "fail"
    assert document["checks"]["store"][0]["observedUnit"] == "s"


async def test_reasons_are_told_on_this_machine_and_not_through_a_proxy_or_to_a_page(
    store: Store, clock: FixedClock
) -> None:
    reason = "amqp://faultwire-worker@broker:5672/errors refuses"
    async with serve(store, clock, loopback_only=False) as site:
        site.ready.append(RuntimeError(reason))
        for headers, is_told in (
            ({}, True),
            ({"X-Forwarded-For": "10.0.0.1"}, False),
            ({"Forwarded": "for=10.0.0.1"}, False),
            ({"Host": "evil.example"}, False),
        ):
            for path in ("/readyz?verbose", "/readyz", "/startupz"):
                async with site.client.get(path, headers=headers) as answer:
                    text = await answer.text()
                assert answer.status == 503
                assert ("faultwire-worker" in text) is is_told, headers
                assert "lane" in text


async def test_metrics_are_exposed_with_a_sentence_each(site: Site) -> None:
    await site.send()
    async with site.client.get("/metrics") as answer:
        assert answer.status == 200
        text = await answer.text()
    assert "faultwire_events_stored_total 1.0" in text
    names = set(re.findall(r"^(faultwire_\w+)", text, re.MULTILINE))
    described = set(re.findall(r"^# HELP (faultwire_\w+) \S", text, re.MULTILINE))
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in names} <= described
