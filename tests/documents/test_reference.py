"""What code knows best stands in the documents as code writes it."""

import json
import re

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from ruamel.yaml import YAML
from tests.tools import dashboard, manifests
from tests.tools.block import ROOT
from tests.tools.reference import FILES, REFERENCES, Copied, Reference, with_reference
from tests.tools.references import asyncapi

from faultwire_consumer.cli import failure
from faultwire_consumer.cli.fault import FaultCode


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda one: one.name)
def test_a_reference_is_what_code_says(reference: Reference) -> None:
    document = reference.path.read_text()
    assert with_reference(document, reference.name, reference.write()) == document, "run make reference"


@pytest.mark.parametrize("file", FILES, ids=lambda one: one.path.name)
def test_a_file_is_what_code_writes(file: Copied) -> None:
    assert file.path.read_text() == file.write(), "run make reference"


def test_kubernetes_is_given_the_same_rules_and_the_same_dashboard() -> None:
    rules, shown = manifests.RULE_TARGET.read_text(), manifests.DASHBOARD_TARGET.read_text()
    read = YAML(typ="safe").load
    assert read(rules)["spec"] == read(manifests.RULES.read_text())
    assert read(shown)["data"] == {dashboard.TARGET.name: dashboard.TARGET.read_text()}


def test_the_schemas_of_the_wire_by_asyncapi_lie_beside_it() -> None:
    text = asyncapi.TARGET.read_text()
    assert [name for name in _schemas(text) if not asyncapi.TARGET.with_name(name).exists()] == []


def _schemas(text: str) -> list[str]:
    found = re.findall(r'"\$ref": "([^#"]+)"', text)
    assert found
    return found


def test_the_wire_by_asyncapi_is_read_by_a_library_that_knows_nothing_of_us() -> None:
    read = ApplicationSchema.model_validate_json(asyncapi.TARGET.read_text())
    assert {channel.address for channel in read.channels.values()} == {
        "event.{severity}.{category}.{service}",
        "producer.{service}",
        "/ingest/v1/events",
    }
    assert set(read.operations) == {"publishEvents", "publishReport", "postEvents"}


def test_every_code_of_the_doctor_stands_on_the_page_of_symptoms() -> None:
    page = (ROOT / "deploy/docs/operate/when-it-breaks.md").read_text()
    assert set(FaultCode) <= set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", page))


def test_every_exit_code_stands_in_its_reference() -> None:
    page = (ROOT / "consumer/docs/reference/exit-codes.md").read_text()
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    ends = {failure.FAILED, failure.USAGE, failure.CONFIGURATION, failure.INTERRUPTED}
    assert ends | {0, 143} == told


def test_the_dashboard_has_the_rows_that_operators_look_for() -> None:
    document = json.loads(dashboard.dashboard())
    rows = [panel["title"] for panel in document["panels"] if panel["type"] == "row"]
    assert rows == ["Health", "Flow", "Queues", "Store", "Notifications", "Services", "Process"]
    ids = [panel["id"] for panel in document["panels"]]
    assert len(ids) == len(set(ids))
