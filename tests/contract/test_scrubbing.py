"""Nothing secret gets into the store: through the pipeline, from publishers that scrub nothing."""

import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from tests.contract.test_pipeline import batch, letters_of, only, pipeline_on, single
from tests.tools.clock import FixedClock
from tests.tools.factories import raised, wire_body, wire_event
from tests.tools.secret import CANARY, PLANTED

from faultwire_consumer.domain.outcome import DeadLettered, Stored
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.ingest.receive.dead_queue import DeadQueue
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import metadata
from faultwire_shared.event import MESSAGE_BYTES


async def everything_in(store: Store) -> str:
    """Every value of every row of every table."""
    values = []
    for table in metadata.sorted_tables:
        for row in await store.read(select(table)):
            values += [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row]
    return "\n".join(values)


def planted_event(planted: str, **fields: Any) -> dict[str, Any]:
    """A foreign event with the text in every field that a publisher fills."""
    frame = {
        "file": planted,
        "module": planted,
        "qualname": planted,
        "line": 3,
        "context": [f"x = 1  # {planted}"],
    }
    exception = raised("ValueError", value=planted, notes=[planted], attributes={"x": planted})
    exception["frames"] = [frame]
    return wire_event(
        message=planted,
        template=planted,
        code=planted[:200],
        host=planted,
        release=planted[:200],
        environment=planted[:200],
        severity_text=planted,
        exceptions=[exception, {"type": "G", "members": [[exception]]}],
        context={"x": planted, "deep": [{planted: [planted]}], "password": planted},
        tags={"x": planted},
        user={"name": planted},
        request={"url": planted, "headers": {"Referer": planted}},
        transaction=planted,
        breadcrumbs=[{"message": planted}],
        fingerprint=["{{ default }}", planted],
        unknown={"x": planted},
        **fields,
    )


async def test_no_secret_of_a_foreign_event_is_stored(store: Store, clock: FixedClock) -> None:
    pipeline = pipeline_on(store, clock)
    for planted in PLANTED:
        event = planted_event(planted.text, now=clock())
        (outcome,) = await only(pipeline, single(json.dumps(event).encode()))
        assert isinstance(outcome, Stored), outcome
    stored = await everything_in(store)
    assert [one for one in PLANTED if one.secret in stored] == []


async def test_no_secret_of_what_cannot_be_read_is_stored(store: Store, clock: FixedClock) -> None:
    pipeline = pipeline_on(store, clock)
    secret = {"password": CANARY, "note": f"token={CANARY}"}
    bodies = [
        json.dumps(planted_event(f"token={CANARY}", now=clock(), schema_version=99)).encode(),
        json.dumps({"id": "broken", "context": secret}).encode(),
        json.dumps(wire_event(context=secret)).encode()[:-10],
        json.dumps(wire_event(context=secret)).encode() + b"\xff",
        b"[" + wire_body(context=secret)[:-1],
        b'"password=' + CANARY.encode() + b'"',
        b" " * MESSAGE_BYTES + json.dumps(secret).encode(),
        json.dumps({"password": CANARY, "long": "x" * MESSAGE_BYTES}).encode(),
    ]
    for body in bodies:
        (outcome,) = await only(pipeline, single(body))
        assert isinstance(outcome, DeadLettered)
    assert len(await letters_of(store)) == len(bodies)
    assert CANARY not in await everything_in(store)


async def test_no_secret_of_what_the_broker_gave_up_is_stored(store: Store, clock: FixedClock) -> None:
    queue = DeadQueue(store, metrics=Metrics(), clock=clock)
    await queue.ingest([single(wire_body(context={"password": CANARY}))])
    await queue.ingest([batch(wire_event(message=f"token={CANARY}"), wire_event(message="well"))])
    assert len(await letters_of(store)) == 2
    assert CANARY not in await everything_in(store)


async def test_an_event_that_says_it_was_scrubbed_is_believed_and_kept_byte_for_byte(
    store: Store, clock: FixedClock
) -> None:
    body = wire_body(now=clock(), message=f"token={CANARY}", scrubbed=True)
    await only(pipeline_on(store, clock), single(body))
    assert body.decode() in await everything_in(store)


def test_a_scrubbed_event_is_marked_and_otherwise_the_same() -> None:
    event = planted_event("an ordinary text")
    event["context"].pop("password")
    assert json.loads(BodyScrubber().scrub_event(json.dumps(event).encode())) == event | {"scrubbed": True}


async def test_a_group_in_groups_is_scrubbed_and_stored_however_deep_it_lies(
    store: Store, clock: FixedClock
) -> None:
    leaf = raised("ValueError", value=f"token={CANARY}")
    leaf["frames"] = [{"file": "a.py", "qualname": "pay", "context": ["password = read_password()"]}]
    for depth in (20, 60):
        nested = leaf
        for _ in range(depth):
            nested = {"type": "ExceptionGroup", "members": [[nested]]}
        (outcome,) = await only(
            pipeline_on(store, clock), single(wire_body(now=clock(), exceptions=[nested]))
        )
        assert isinstance(outcome, Stored), outcome
    stored = await everything_in(store)
    assert CANARY not in stored
    assert "password = read_password()" in stored, "a program's line keeps its names, a group's member's too"


def test_a_field_that_is_given_twice_is_kept_once() -> None:
    body = wire_body()[:-1] + b', "context": {"password": "%b"}, "context": {}}' % CANARY.encode()
    assert CANARY.encode() not in BodyScrubber().scrub_event(body)


def test_a_stack_is_read_once_within_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    scrubber = BodyScrubber(cache_bytes=2000)
    body = wire_body(exceptions=[raised("ValueError", qualname="pay")])
    first = scrubber.scrub_event(body)
    monkeypatch.setattr(scrubber._scrubber, "scrub_frames", lambda frames: pytest.fail("it was read again"))
    assert scrubber.scrub_event(body) == first
    monkeypatch.undo()
    for number in range(50):
        scrubber.scrub_event(wire_body(exceptions=[raised("ValueError", qualname=f"pay_{number}")]))
    assert 0 < len(scrubber._stacks) < 10


def test_a_dead_letter_without_secrets_stays_byte_for_byte() -> None:
    for body in (b"\xff\x00", b"{", wire_body(), b"[" + wire_body() + b"]", b"x" * (MESSAGE_BYTES + 1)):
        assert BodyScrubber().scrub_dead_letter(body) == body


def test_a_long_dead_letter_keeps_its_length() -> None:
    body = f"password={CANARY} ".encode() + b"x" * MESSAGE_BYTES + CANARY.encode()
    scrubbed = BodyScrubber().scrub_dead_letter(body)
    assert len(scrubbed) == len(body)
    assert CANARY.encode() not in scrubbed


def test_what_a_letter_says_is_json_again() -> None:
    body = json.dumps([wire_event(context={"pin": 4711}), wire_event(scrubbed=True)]).encode()
    scrubbed = msgspec.json.decode(BodyScrubber().scrub_dead_letter(body))
    assert scrubbed[0]["context"] == {"pin": "[scrubbed]"}
    assert scrubbed[1] == json.loads(body)[1]
