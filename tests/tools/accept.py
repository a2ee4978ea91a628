"""Accept headers, and the type of the answer to an error: from a service and from the worker alike."""

from typing import Final

_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"

ACCEPTS: Final = [
    (None, _JSON),
    ("", _JSON),
    ("*/*", _JSON),
    ("application/*", _JSON),
    ("text/html", _JSON),
    ("application/problem+json", _PROBLEM),
    ("Application/Problem+JSON", _PROBLEM),
    ("application/problem+json; charset=utf-8", _PROBLEM),
    ("application/json, application/problem+json", _PROBLEM),
    ("application/problem+json;q=0.1, */*", _PROBLEM),
    ("application/json;q=0.5, application/problem+json;q=0.5", _PROBLEM),
    ("application/json, Application/Problem+JSON;q=0.9", _JSON),
    ("application/problem+json;q=0", _JSON),
    ("application/problem+json;q=x", _JSON),
    ("application/problem+json-seq", _JSON),
    ("text/plain;application/problem+json", _JSON),
    (",;,", _JSON),
]
