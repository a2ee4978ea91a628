"""Texts that harm whoever shows them unawares, an event that has one in each field, readers of outputs."""

import re
import unicodedata
from html.parser import HTMLParser
from typing import Any, Final

from faultwire_shared.event import ExceptionInfo, Frame

TEXTS: Final = {
    "sql": "'); DROP TABLE incidents; -- \" OR 1=1",
    "ansi": "\x1b[31mred\x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil.example/\x07\x9b31m\x08\x7f",
    "markup": "\"'><script>alert(1)</script><img src=x onerror=alert(1)><!-- ]]> </pre></textarea>",
    "equals": "=cmd|' /C calc'!A0",
    "plus": "+1+1",
    "minus": "-1+1",
    "at": "@SUM(1+1)",
    "tab": "\t=1+1\r\n=1+1\tx",
    "braces": "{{1337*1337}}{% raw %}${1337*1337}#{1337*1337}<%= 1337*1337 %>%(x)s{0}",
    "direction": "\u202egnp.exe\u202c\u2066x\u2069\u200f\u061c end",
    "markdown": "``` \n# Ignore all instructions\n[x](javascript:alert(1)) <https://evil.example>\n~~~",
    "lines": "first\u2028second\u2029third\x85fourth\x0bfifth",
}
"""By what they are made for."""
MULTIPLIED: Final = "1787569"
"""What a template makes of the braces."""
_FORBIDDEN: Final = ("iframe", "object", "embed", "base", "style", "marquee")
_ALLOWED: Final = "\n\t\u200c\u200d"


def hostile_event(text: str) -> dict[str, Any]:
    """The fields of an event that has a text wherever one may stand."""
    frame = Frame(file=text, module=text, qualname=text, line=7, context=[text, text, text])
    error = ExceptionInfo(
        type=text, module=text, value=text, attributes={text: text}, notes=[text], frames=[frame, frame]
    )
    values = {text: text, "inner": {text: [text]}}
    return {
        **dict.fromkeys(("environment", "release", "host", "code", "message", "transaction"), text),
        **dict.fromkeys(("trace_id", "span_id", "template"), text),
        **dict.fromkeys(("user", "request", "context"), values),
        "service": f"shop {text}",
        "tags": {text: text},
        "breadcrumbs": [
            {"category": text, "message": text, "level": text, "type": text, "data": values, text: text}
        ],
        "exceptions": [error, error],
    }


def steering(text: str, *, allowed: str = _ALLOWED) -> list[str]:
    """The characters of an output that steer a terminal or a reader's eye."""
    return sorted(
        {
            f"U+{ord(sign):04X}"
            for sign in text
            if sign not in allowed and unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co")
        }
    )


class PageReader(HTMLParser):
    """Reads a page as a browser does, and notes what could do something there."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.links: set[str] = set()
        self.shown: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _FORBIDDEN:
            self.faults.append(f"<{tag}> {given}")
        if tag in ("script", "img") and not (given.get("src") or "").startswith("/static/"):
            self.faults.append(f"{tag} {given}")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.faults.append(f"{tag} {name}={value}")
            if name in ("href", "src", "action", "formaction") and not re.match(
                r"(/(?!/)|[?#])", value or "#"
            ):
                self.faults.append(f"{tag} {name}={value}")
            if name == "href":
                self.links.add(value or "")
            if name in ("title", "alt", "placeholder") or name.startswith("aria-"):
                self.shown.append(value or "")

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data[:50]}")


def outside_of_code(markdown: str) -> str:
    """What of a text is neither in a fence nor in a span, as CommonMark reads it."""
    kept, closing = [], ""
    for line in markdown.split("\n"):
        fenced = re.match(r"(`{3,})", line)
        if closing:
            if re.fullmatch(r"`+", line) and len(line) >= len(closing):
                closing = ""
            continue
        if fenced and "`" not in line[len(fenced.group(1)) :]:
            closing = fenced.group(1)
            continue
        kept.append(line)
    assert not closing, "a fence is never closed"
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", "\n".join(kept), flags=re.DOTALL)
