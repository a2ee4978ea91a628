"""A stranger who knows the description alone asks whatever it allows, and much that it does not."""

import asyncio
import os
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks
from tests.contract.api.conftest import Site

from faultwire_consumer.web.parameter import CURSOR_FORMAT, MOMENT_FORMAT, PRINTABLE, QUERY_FORMAT

EXAMPLES: Final = int(os.environ.get("FAULTWIRE_EXAMPLES", "5"))
"""For each operation; the longer run asks for many more."""
CHECKS: Final[list[schemathesis.CheckFunction]] = [
    schemathesis.checks.not_a_server_error,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.status_code_conformance,
    checks.unsupported_method,
]
ENDLESS: Final = ("/api/v1/changes",)

schemathesis.openapi.format(PRINTABLE, st.text(st.characters(categories=["L", "N", "P"]), max_size=40))
schemathesis.openapi.format(MOMENT_FORMAT, st.sampled_from(["2h", "7d", "2026-11-23T10:00:00Z"]))
schemathesis.openapi.format(QUERY_FORMAT, st.sampled_from(["", "severity:high", "-code:X since:2h", '"bad"']))
schemathesis.openapi.format(CURSOR_FORMAT, st.just(""))


async def fill(site: Site) -> None:
    for number in range(3):
        await site.send(kind=f"Kind{number}", text=f"bad order {number}", release=f"1.{number}")
    await site.send_body(b'{"service": "billing", ')


async def ask_everything(site: Site, examples: int) -> int:
    """Ask each operation so many times; the number of operations that were asked."""
    _, document = await site.get("/api/v1/openapi.json")
    schema = schemathesis.openapi.from_dict(document)
    base = str(site.client.make_url("")).rstrip("/")

    def ask() -> int:
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        asked = [one for one in operations if one.path not in ENDLESS]
        for operation in asked:
            ask_one(operation, base, examples)
        return len(asked)

    return await asyncio.to_thread(ask)


def ask_one(operation: schemathesis.APIOperation[Any, Any, Any, Any], base: str, examples: int) -> None:
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=base, timeout=60)
        case.validate_response(answer, checks=CHECKS)

    ask()


async def test_a_stranger_s_requests_are_answered_as_described(site: Site) -> None:
    await fill(site)
    assert await ask_everything(site, EXAMPLES) > 20


@pytest.mark.e2e
@pytest.mark.timeout(3600)
async def test_many_more_of_a_stranger_s_requests_are_too(site: Site) -> None:
    await fill(site)
    assert await ask_everything(site, 80) > 20
