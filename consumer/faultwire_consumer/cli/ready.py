"""``faultwire health -q``: the answer by exit code, for a container's health check.

It runs every few seconds, so it loads only the standard library: a tenth of the other commands' time.
"""

import json
import sys
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

from faultwire_consumer.cli.address import connection_to, log_in, trust, worker_url
from faultwire_consumer.cli.failure import FAILED, CommandError
from faultwire_shared.redact import redact_url
from faultwire_shared.text import printable

TIMEOUT_SECONDS: Final = 5.0


def check_ready(path: str = "/readyz", given: str | None = None) -> int:
    """Ask the worker at an address, else at ``FAULTWIRE_URL``: 0 for yes, else a line on stderr.

    Then it is 1, 2 for a bad address, 78 for a bad ``FAULTWIRE_URL``.
    """
    try:
        url = worker_url(given)
    except CommandError as error:
        return _say(str(error), error.exit_code)
    try:
        status, document = _ask(url, path)
    except CommandError as error:
        return _say(str(error), error.exit_code)
    except (OSError, HTTPException, ValueError) as error:
        return _say(f"no answer from {redact_url(url)}: {error}", FAILED)
    if status == 200:
        return 0
    return _say(f"the worker answers {status}: {_failures(document)}", FAILED)


def _ask(url: str, path: str) -> tuple[int, Any]:
    root, login = log_in(url)
    parts = urlsplit(root)
    connection = connection_to(parts, trust(), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path + path, headers={"Accept": "application/json", **login})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read(65_536))
    finally:
        connection.close()


def _failures(document: Any) -> str:
    checks = document.get("checks") if isinstance(document, dict) else None
    failed = [one for one in checks if one.get("status") == "fail"] if isinstance(checks, list) else []
    return "; ".join(f"{one.get('name')}: {one.get('error')}" for one in failed) or "not ready"


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"faultwire: {printable(text)}\n")
    return code
