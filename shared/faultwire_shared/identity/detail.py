"""Identity details, which distinguish two faults at one line, from attributes or else from the text.

Never ids, amounts, names or free text: those differ between two sightings of one fault. A text tells
a column, a table or a bare status only where its exception is of a kind that speaks so: "line 1
column 17" is a parser's, and "response: 261 ms" nobody's status.
"""

import errno
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

_TEXT_CHARACTERS: Final = 512
_SHORTEST: Final = len("HTTP 503")
_KIND_CHARACTERS: Final = 100
_VALUE_CHARACTERS: Final = 100

# Attribute names of drivers and HTTP clients -> our name for the detail.
_ATTRIBUTES: Final[Mapping[str, str]] = {
    "errno": "errno",
    "status": "status",
    "status_code": "status",
    "http_status": "status",
    "http.response.status_code": "status",
    "sqlstate": "sqlstate",
    "pgcode": "sqlstate",
    "sqlite_errorname": "sqlite",
    "constraint": "constraint",
    "constraint_name": "constraint",
    "table": "table",
    "table_name": "table",
    "column": "column",
    "column_name": "column",
    "operation": "operation",
}
_NAMED: Final = ("constraint", "table", "column", "operation")

_NO_AMOUNT: Final = (
    r"(?![.,]?\d|\ ?(?:[mµun]?s|sec\w*|min\w*|hours?|days?|[KMG]?i?B|bytes?|rows?|items?)\b|\ ?%)"
)
_PLAIN: Final = rf"""
    \[(?:Errno|WinError)\ (?P<errno>-?\d{{1,5}})\]
  | \bSQLSTATE[ \[:=]{{1,2}}(?P<sqlstate>[0-9A-Z]{{5}})\b
  | \bHTTP(?:/\d(?:\.\d)?)?(?:\ (?:[Ee]rror|[Ss]tatus|[Rr]esponse))?(?:[ _]?[Cc]ode)?
    [ :=]{{1,3}}(?P<status>[1-5]\d\d)\b{_NO_AMOUNT}
  | \b[Ss]tatus[ _]?[Cc]ode[ :=]{{1,3}}(?P<status_code>[1-5]\d\d)\b{_NO_AMOUNT}
  | (?<!xit\ )\b[Ss]tatus[ :=]{{1,3}}(?P<status_word>[45]\d\d)\b{_NO_AMOUNT}
  | (?<!xit\ )\b(?:returned|responded(?:\ with)?|answered(?:\ with)?|[Ee]rror|[Cc]ode)[ :=]{{1,3}}
    (?P<status_told>4[0-3]\d|451|50\d|51[01]|52\d)\b{_NO_AMOUNT}(?!\ [a-z]+s\b)
  | <Response\ \[(?P<status_shown>[1-5]\d\d)\]>
  | ^(?P<status_first>[45]\d\d)(?:,\ message=|\ (?:Client|Server)\ Error)
  | \b(?:[Cc]lient|[Ss]erver)\ error\ '(?P<status_quoted>[45]\d\d)\b
  | \b(?:UNIQUE|CHECK|NOT\ NULL|FOREIGN\ KEY|PRIMARY\ KEY)\ constraint\ failed:
    \ (?P<constraint_sqlite>[\w.]{{1,100}})
  | \bviolates\ [a-z -]{{1,20}}constraint\ "(?P<constraint>[^"\s]{{1,100}})"
  | \bno\ such\ column:\ "?(?P<column_sqlite>[\w.]{{1,100}})
  | \bno\ such\ table:\ "?(?P<table_sqlite>[\w.]{{1,100}})
  | \b(?P<oracle>ORA-\d{{5}})\b
  | \bStatusCode\.(?P<grpc>[A-Z_]{{2,30}})\b
  | \[(?:SSL|X509):\ ?(?P<ssl>[A-Z_0-9]{{4,60}})\]
"""
_HTTP: Final = rf"""
  | ^\(?(?P<status_leading>[1-5]\d\d)\b(?=[,:;)]|\ [A-Za-z]|$){_NO_AMOUNT}
  | \btoo\ many\ (?P<status_many>[1-5]\d\d)\ error\ responses
  | \((?P<status_bracketed>[45]\d\d)\)
  | \bAn\ error\ occurred\ \((?P<code>[A-Za-z.]{{3,60}})\)
"""
_SQL: Final = r"""
  | \bconstraint\ "(?P<constraint_named>[^"\s]{1,100})"
  | \bcolumn\ (?:reference\ )?"(?P<column>[^"\s]{1,100})"
  | \bcolumn\ (?P<column_missing>[\w.]{1,100})\ does\ not\ exist
  | \bno\ column\ named\ (?P<column_named>\w{1,100})
  | \brelation\ "(?P<table>[^"\s]{1,100})"
  | ^\((?P<mysql>\d{4}),[ ]
"""


class _Speech(Struct, frozen=True):
    """The way exceptions of a kind speak: a text that matches begins with or holds one of these."""

    pattern: re.Pattern[str]
    beginnings: str
    hints: tuple[str, ...]


_HINTS: Final = (
    *("Errno ", "Error ", "rror '", "SQLSTATE", "HTTP", "tatus", "<Response", "onstraint", "o such ", "ORA-"),
    *("[SSL", "[X509"),
    *("turned ", "sponded ", "swered ", "rror ", "rror:", "rror=", "ode ", "ode:", "ode="),
)
_SPEECHES: Final = {
    "": _Speech(re.compile(_PLAIN, re.VERBOSE), "45", _HINTS),
    "http": _Speech(
        re.compile(_PLAIN + _HTTP, re.VERBOSE), "12345(", (*_HINTS, "too many", "(4", "(5", "occurred (")
    ),
    "sql": _Speech(re.compile(_PLAIN + _SQL, re.VERBOSE), "45(", (*_HINTS, "olumn ", "elation ")),
}

# By the package that an exception is of, or else by the words in its name.
_KINDS: Final = re.compile(
    r"""
    (?P<sql>^(?:psycopg2?|asyncpg|pg8000|sqlite3|aiosqlite|sqlalchemy|django\.db|pymysql|aiomysql|MySQLdb|mysql
        |oracledb|cx_Oracle|pyodbc|pymssql|peewee|tortoise|java\.sql|org\.postgresql|PG|ActiveRecord|pgconn|pq)\b
      | (?:SQL|Sql|Integrity|Operational|Programming|Database|Violation|StatementInvalid
        |Undefined(?:Table|Column))\w*$)
  | (?P<http>^(?:urllib3?|requests|httpx|httpcore|aiohttp|http\.client|starlette|fastapi|werkzeug|botocore
        |googleapiclient|smtplib|aiosmtplib|ftplib)\b
      | (?:HTTP|Http|Status|Response)\w*$)
    """,
    re.VERBOSE,
)
_NUMBERS: Final = re.compile(r"\d+(?:_\d+)*")
_WORDS: Final = re.compile(r"[A-Za-z_ .]{1,40}")
_STATUSES: Final = range(100, 600)


def kind_of(module: str, name: str) -> str:
    """Return an exception's qualified type, as the other functions take it."""
    return f"{module[:_KIND_CHARACTERS]}.{name[:_KIND_CHARACTERS]}" if module else name[:_KIND_CHARACTERS]


def details_of(attributes: Mapping[str, Any], text: str, kind: str = "") -> tuple[str, ...]:
    """Return the identity details of one exception, sorted, as ``name=value``.

    Args:
        attributes: what the publisher found on the exception.
        text: the exception's text; it tells what the attributes do not.
        kind: the exception's qualified type.
    """
    known = {
        detail
        for name, value in attributes.items()
        if name in _ATTRIBUTES and (detail := _detail(_ATTRIBUTES[name], value))
    }
    found = detail_in_text(text, kind)
    if found and not any(each.partition("=")[0] == found.partition("=")[0] for each in known):
        known.add(found)
    return tuple(sorted(known))


def detail_in_text(text: str, kind: str = "") -> str | None:
    """Find the first identity detail that a text names, for events whose publisher sent no attributes."""
    if not text:
        return None
    speech, text = _SPEECHES[_speech_of(kind)], text[:_TEXT_CHARACTERS]
    if text[0] not in speech.beginnings:
        if len(text) < _SHORTEST:
            return None
        for hint in speech.hints:
            if hint in text:
                break
        else:  # nearly always, and at a tenth of what the pattern costs
            return None
    match = speech.pattern.search(text)
    if match is None or match.lastgroup is None:
        return None
    return _detail(match.lastgroup.partition("_")[0], match.group(match.lastgroup))


@lru_cache(2048)
def _speech_of(kind: str) -> str:
    match = _KINDS.search(kind)
    return (match.lastgroup or "") if match else ""


def _detail(name: str, value: Any) -> str | None:
    """Write a detail down; None for a value that identifies nothing."""
    if value in (None, "", 0):
        return None
    if name == "errno":
        return f"errno={_errno_name(value)}"
    text = str(value)[:_VALUE_CHARACTERS]
    if name == "status" and not _is_status(text):
        return None
    if name == "table":  # one for each tenant, or for each day
        text = text.rpartition(".")[2]
    return f"{name}={_NUMBERS.sub('0', text) if name in _NAMED else text}"


def _is_status(text: str) -> bool:
    return int(text) in _STATUSES if text.isdecimal() else _WORDS.fullmatch(text) is not None


def _errno_name(value: Any) -> str:
    """Name an errno: 111 and ECONNREFUSED are one detail; numbers differ between systems, names do not."""
    try:
        return errno.errorcode.get(int(value), str(value))
    except (TypeError, ValueError):
        return str(value)[:_VALUE_CHARACTERS]
