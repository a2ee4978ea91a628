"""Counts the reports that browsers send of themselves, as a page's Content-Security-Policy tells them to."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from faultwire_consumer.gateway.lenient import UnreadableError, read_json

SECURITY_BYTES: Final = 1024 * 1024
REPORTS: Final = 100
"""Reports of one list that are counted by kind; the others are `OTHER_REPORT`."""
OTHER_REPORT: Final = "other"
_OBJECTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "csp-report": "csp",
        "expect-ct-report": "expect_ct",
        "expect-staple-report": "expect_staple",
        "known-pins": "hpkp",
    }
)
"""Kinds by the member that tells them, of ``report-uri`` and its like."""
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "csp-violation": "csp",
        "deprecation": "deprecation",
        "intervention": "intervention",
        "crash": "crash",
        "network-error": "nel",
        "permissions-policy-violation": "permissions_policy",
        "coep": "coep",
        "coop": "coop",
    }
)
"""Kinds by the type that the Reporting API names."""


class UnreadableReportsError(Exception):
    """A body holds no reports of a browser."""


def count_reports(body: bytes) -> dict[str, int]:
    """Count the reports in a body by their kind: one object of ``report-uri``, or a list of ``report-to``.

    The caller has bounded the body, by `SECURITY_BYTES`.

    Raises:
        UnreadableReportsError: it is neither.
    """
    try:
        told = read_json(body)
    except UnreadableError as error:
        raise UnreadableReportsError(str(error)) from None
    if isinstance(told, dict):
        return {_kind_of_object(told): 1}
    if not isinstance(told, list):
        raise UnreadableReportsError("it is neither an object nor a list")
    kinds = Counter(_kind_of_entry(each) for each in told[:REPORTS])
    kinds[OTHER_REPORT] += len(told[REPORTS:])
    return dict(+kinds)


def _kind_of_object(told: Mapping[str, Any]) -> str:
    if isinstance(told.get("type"), str):  # one of a list, sent alone
        return _kind_of_entry(told)
    return next((kind for member, kind in _OBJECTS.items() if member in told), OTHER_REPORT)


def _kind_of_entry(entry: Any) -> str:
    name = entry.get("type") if isinstance(entry, dict) else None
    return _TYPES.get(name, OTHER_REPORT) if isinstance(name, str) else OTHER_REPORT
