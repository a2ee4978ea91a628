"""``faultwire send`` at a worker: what arrives is what was given, and what cannot be meant is refused."""

import json

from tests.tools.worker_process import WorkerProcess, command


async def send(worker: WorkerProcess, *options: str) -> tuple[int, str, str]:
    return await command("send", *options, FAULTWIRE_URL=worker.url)


async def test_everything_that_is_given_arrives_and_a_new_service_is_told(worker: WorkerProcess) -> None:
    given = ["--environment", "staging", "--release", "2.0", "--user", "17", "--tag", "region=eu"]
    grouping = ["--fingerprint", "nightly", "--fingerprint", "backup"]
    first = await command(
        "send", "-m", "disk full", "--service", "backup", *given, *grouping, FAULTWIRE_URL=worker.url
    )
    assert first[0] == 0
    assert first[2] == "backup is a service that is new here\n"
    other = await command(
        "send", "-m", "tape full", "--service", "backup", *grouping, FAULTWIRE_URL=worker.url
    )
    assert (other[0], other[2]) == (0, "")
    _, event = await worker.get(f"/api/v1/events/{first[1].strip()}")
    assert (event["environment"], event["release"]) == ("staging", "2.0")
    assert (event["user"], event["tags"]) == ({"id": "17"}, {"region": "eu"})
    _, listed = await worker.get("/api/v1/incidents")
    assert [incident["count"] for incident in listed["incidents"]] == [2]
    slip = await send(worker, "-m", "x", "--service", "bakcup")
    assert slip[2] == "bakcup is a service that is new here; did you mean backup?\n"
    quiet = await send(worker, "-m", "x", "--service", "another", "-q")
    assert (quiet[0], quiet[2]) == (0, "")


async def test_an_unknown_severity_is_refused_unless_a_script_says_that_any_will_do(
    worker: WorkerProcess,
) -> None:
    for given, hint in (("hgih", "did you mean high?"), ("purple", "one of low, medium, high, critical")):
        code, out, err = await send(worker, "-m", "x", "--severity", given)
        assert (code, out) == (2, "")
        assert f"--severity: {given} is unknown" in err
        assert hint in err
    stored = {}
    for given, told in (("FATAL", "critical"), ("40", "high"), ("warning", "medium"), ("low", "low")):
        code, out, _ = await command(
            "send", "-m", "x", "--severity", given, "--json", FAULTWIRE_URL=worker.url
        )
        assert code == 0
        stored[json.loads(out)["id"]] = told
    code, out, _ = await command(
        "send", "-m", "x", "--severity", "purple", "--any-severity", FAULTWIRE_URL=worker.url
    )
    assert code == 0
    for event_id, severity in {**stored, out.strip(): "medium"}.items():
        assert (await worker.get(f"/api/v1/events/{event_id}"))[1]["severity"] == severity


async def test_an_empty_message_is_refused_and_nothing_is_stored(worker: WorkerProcess) -> None:
    for message in ("", " \n", "-"):
        code, out, err = await send(worker, "-m", message)
        assert (code, out) == (2, "")
        assert "say what happened" in err
    assert (await worker.get("/api/v1/events"))[1]["events"] == []
