"""The HTTP door of a worker without a broker, as curl and our client use it."""

import json

import pytest
from tests.tools.factories import wire_event
from tests.tools.worker_process import WorkerProcess, command

from faultwire import ErrorManager
from faultwire_shared.event import MESSAGE_BYTES


async def test_each_event_of_a_request_has_its_result(worker: WorkerProcess) -> None:
    event, other = wire_event(), wire_event()
    await worker.post("/ingest/v1/events", json.dumps(event).encode())
    status, answer = await worker.post("/ingest/v1/events", json.dumps([event, other, {"id": "x"}]).encode())
    assert status == 202
    assert [result["status"] for result in answer["results"]] == ["duplicate", "stored", "dead_lettered"]
    assert "$" in answer["results"][2]["detail"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"order 17 failed", "application/json", 400, "MALFORMED_BODY"),
        (b'[{"id": 1},', "application/json", 400, "MALFORMED_BODY"),
        (b"{}", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b'"' + b"x" * MESSAGE_BYTES + b'"', "application/json", 413, None),
    ],
)
async def test_what_cannot_be_taken_is_told_why_and_stores_nothing(
    worker: WorkerProcess, body: bytes, content_type: str, status: int, code: str | None
) -> None:
    answered, answer = await worker.post("/ingest/v1/events", body, content_type)
    assert answered == status
    assert answer["error"]["message"]
    assert code in (None, answer["error"]["code"])
    assert (await worker.get("/api/v1/dead-letters"))[1]["dead_letters"] == []


async def test_the_client_confirms_over_http_and_its_id_leads_to_the_event(worker: WorkerProcess) -> None:
    async with ErrorManager(service="billing", broker_url=worker.url) as errors:
        response = await errors.handle_error(KeyError("sku"), "critical", durability="confirmed")
        assert (await response.delivered(60)).state == "confirmed"
    status, event = await worker.get(f"/api/v1/events/{response['error_id']}")
    assert (status, event["severity"], event["service"]) == (200, "critical", "billing")
    code, out, _ = await command("events", "show", response["error_id"], "--json", FAULTWIRE_URL=worker.url)
    assert code == 0
    assert json.loads(out)["incident_id"] == event["incident_id"]


async def test_an_unknown_id_is_404_and_one_line_with_exit_1(worker: WorkerProcess) -> None:
    status, answer = await worker.get("/api/v1/events/error_20261123_nosuchevent")
    assert (status, answer["error"]["code"]) == (404, "EVENT_NOT_FOUND")
    code, out, err = await command("incidents", "show", "INC-99", FAULTWIRE_URL=worker.url)
    assert (code, out, len(err.splitlines())) == (1, "", 1)


async def test_an_event_from_the_shell_is_stored_and_its_incident_goes_through_its_life(
    worker: WorkerProcess,
) -> None:
    code, out, _ = await command(
        "send",
        "--service",
        "backup",
        "--message",
        "disk full",
        "--severity",
        "high",
        FAULTWIRE_URL=worker.url,
    )
    assert code == 0
    assert (await worker.get(f"/api/v1/events/{out.split()[0]}"))[0] == 200
    for verb, status in (("acknowledge", "acknowledged"), ("resolve", "resolved"), ("reopen", "open")):
        assert (await command("incidents", verb, "INC-1", FAULTWIRE_URL=worker.url))[0] == 0
        code, out, _ = await command("incidents", "list", "--json", FAULTWIRE_URL=worker.url)
        assert [incident["status"] for incident in json.loads(out)["incidents"]] == [status]


async def test_a_second_start_goes_on_with_what_is_stored(worker: WorkerProcess) -> None:
    event = wire_event()
    await worker.post("/ingest/v1/events", json.dumps(event).encode())
    assert await worker.end() == 0
    await worker.start()
    assert (await worker.get(f"/api/v1/events/{event['id']}"))[0] == 200
