"""How events that real SDKs of Sentry sent are put together, over all recordings."""

from collections import Counter, defaultdict
from functools import lru_cache
from typing import Final

import pytest
from tests.tools.sentry_traffic import RECORDED_AT, events_of, sentry_recordings

from faultwire_consumer.domain.fingerprint import compute
from faultwire_consumer.gateway.reading import ReadingContext
from faultwire_consumer.gateway.sentry.event import read_event
from faultwire_consumer.ingest.read.grouping import Grouped, Grouper, material_of
from faultwire_consumer.ingest.read.narrow import decode_narrow

CONTEXT: Final = ReadingContext(service="shop", received_at=RECORDED_AT)
PYTHON: Final = ("sentry-python-0.20", "sentry-python-1.0", "sentry-python-2.75")
PAGES: Final = tuple(f"sentry-browser-{version}" for version in (7, 8, 10, 11))
NODES: Final = tuple(f"sentry-node-{version}" for version in (5, 6, 7, 9, 11))


@lru_cache(maxsize=1)
def grouped() -> dict[str, list[Grouped]]:
    """The events of each recording in their order, by one worker that remembers what it saw."""
    grouper, found = Grouper(), defaultdict[str, list[Grouped]](list)
    for recording in sentry_recordings():
        for sent in events_of(recording):
            event = decode_narrow(read_event(sent.payload, CONTEXT, sent.envelope).body)
            found[recording.name].append(grouper.group(event))
            assert found[recording.name][-1].fingerprint == compute(material_of(event)), recording.name
    return found


def keys(*names: str) -> list[bytes]:
    """The keys of all events of recordings."""
    return [one.fingerprint.key for name in names for one in grouped()[name]]


@pytest.mark.parametrize("scenario", ["handled", "unhandled", "recursion", "hostile", "signals"])
def test_an_error_is_one_incident_in_every_release_of_python_s_sdk(scenario: str) -> None:
    # Some scenarios log a message besides, which is another incident.
    raised = {
        one.fingerprint.key
        for sdk in PYTHON
        for one in grouped()[f"{sdk}/{scenario}"]
        if "Error: " in one.title
    }
    assert len(raised) == 1


def test_a_logged_template_is_one_incident_whatever_was_put_into_it() -> None:
    for sdk in PYTHON:
        first, second, *_ = keys(f"{sdk}/log")
        assert first == second
    assert len({keys(f"{sdk}/log")[0] for sdk in PYTHON}) == 1


@pytest.mark.parametrize("sdk", [*NODES, *PAGES[:2], PAGES[-1]])
def test_odd_things_that_were_thrown_are_as_many_incidents(sdk: str) -> None:
    counts = Counter(keys(f"{sdk}/oddities"))
    # Up to version 7 Node's SDK says of null and of undefined the same: nothing.
    assert sorted(counts.values())[:-1] == [1] * (len(counts) - 1)
    assert max(counts.values()) <= (2 if sdk in NODES[:3] else 1)
    assert len(counts) >= 12


def test_a_minified_page_is_one_incident_in_its_bundles_with_four_sdks_of_five_years() -> None:
    for scenario in ("onerror", "handled", "unload"):
        events = [one for sdk in PAGES for one in grouped().get(f"{sdk}/{scenario}", ())]
        refused = [one for one in events if one.title.startswith("PaymentError: ")]
        assert len(refused) >= 2
        assert len({one.fingerprint.key for one in refused}) == 1, scenario


def test_what_react_s_boundary_caught_is_the_plain_error() -> None:
    assert set(keys("sentry-browser-11/react")) == set(keys("sentry-browser-11/onerror"))


def test_node_s_errors_are_one_incident_in_every_release_of_its_sdk() -> None:
    for scenario in ("handled", "unhandled"):
        assert len({key for sdk in NODES for key in keys(f"{sdk}/{scenario}")}) == 1, scenario


def test_a_message_is_one_incident_with_a_stack_and_without_and_is_titled_by_its_text() -> None:
    messages = [
        one for name in ("sentry-node-11/message", "sentry-node-5/message") for one in grouped()[name]
    ]
    cold = [one for one in messages if one.title == "cache is cold"]
    assert len(cold) == 2
    assert len({one.fingerprint.key for one in cold}) == 1
    assert {one.culprit for one in cold} == {""}


def test_calls_of_ruby_s_blocks_and_rescues_are_those_of_their_functions() -> None:
    (raised,) = (one for one in grouped()["sentry-ruby-5.3/rack"] if one.title.startswith("PaymentError"))
    parts = "\n".join(raised.fingerprint.parts)
    assert "rescue in" not in parts
    assert "block in" not in parts
    assert raised.culprit == "sentry.rb in charge"
