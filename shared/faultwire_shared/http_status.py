"""Titles and codes of HTTP's errors, the same on every Python: client and worker answer with them.

The standard library's follow the RFCs: Python 3.13 renamed 413, 414, 416 and 422. A program that matches a
code must not depend on the other side's Python, so these stay as they were first published.
"""

from collections.abc import Mapping
from typing import Final

_TITLES: Final[Mapping[int, str]] = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Requested Range Not Satisfiable",
    417: "Expectation Failed",
    418: "I'm a Teapot",
    421: "Misdirected Request",
    422: "Unprocessable Entity",
    423: "Locked",
    424: "Failed Dependency",
    425: "Too Early",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates",
    507: "Insufficient Storage",
    508: "Loop Detected",
    510: "Not Extended",
    511: "Network Authentication Required",
}
_AS_IN_A_NAME: Final = str.maketrans({" ": "_", "-": "_", "'": None})


def title_of(status: int) -> str:
    """Return the status in words; ``Error`` for one that has none."""
    return _TITLES.get(status, "Error")


def code_of(status: int) -> str:
    """Return the default code of an answer: its title as a constant's name."""
    return title_of(status).upper().translate(_AS_IN_A_NAME)
