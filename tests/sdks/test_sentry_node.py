"""Sentry's SDK for Node, as npm has it: given a DSN, all that it knows arrives and groups rightly."""

from pathlib import Path
from typing import Final

import pytest
from tests.sdks import npm
from tests.sdks.reporting import Reported, crash_of, is_handled, only
from tests.sdks.running import run_to_end
from tests.sdks.wiretap import tapping

DSNS: Final = ("node",)

pytestmark = pytest.mark.timeout(240)


def test_what_a_program_in_node_reports_arrives_groups_and_is_no_more_than_is_stored(
    reported: Reported, modules: Path, tmp_path: Path
) -> None:
    program = npm.place_program("node_shop.mjs", modules, tmp_path)
    with tapping(reported.worker.port) as tap:
        settings = {"SENTRY_DSN": tap.through(reported.dsns["node"])}
        run_to_end([str(npm.NODE), str(program)], tmp_path, settings, fails=True)
    events = reported.wait_for("node", 8)
    counts = reported.incidents("node")
    assert sorted(counts.values()) == [1, 1, 1, 2, 3], counts
    payments = only(events, "PaymentError")
    assert len(payments) == 3
    event = payments[-1]
    assert [one["type"] for one in event["exceptions"]] == ["PaymentError", "TypeError"]
    assert event["exceptions"][0]["value"] == "gateway refused order 19"
    raised = "throw new PaymentError(`gateway refused order ${order}`, { cause });"
    assert crash_of(event) == ("pay", raised)
    assert crash_of(event, cause=1)[0] == "charge"
    assert (event["release"], event["environment"]) == ("shop-node@2.0.1", "staging")
    assert (event["user"]["id"], event["tags"]["region"]) == ("42", "eu-central-1")
    assert "added three apples" in [crumb.get("message") for crumb in event["breadcrumbs"]]
    assert len({one["trace_id"] for one in payments} - {None}) >= 1
    assert event["sdk"]["name"] == "sentry.javascript.node"
    said = [one for one in events if one["message"] == "the cache is cold"]
    assert [(one["severity"], is_handled(one)) for one in said] == [("medium", True)] * 2
    (uncaught,) = [one for one in events if one["message"] == "no pears left"]
    assert not is_handled(uncaught)

    assert {one.status for one in tap.exchanges} == {200}
    told = next(at for at, one in enumerate(tap.exchanges) if b'"value":"no address"' in one.text)
    later = tap.item_types(since=told)
    assert later["event"] == 2, "errors still come"
    assert not later.keys() & {"span", "transaction", "session"}, later
    withheld = b'{"reason":"ratelimit_backoff","category":"span","quantity":1}'
    assert any(withheld in one.text for one in tap.exchanges), "and the SDK says what it kept back"
