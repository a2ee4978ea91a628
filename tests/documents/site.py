"""The built site as a reader's browser meets it: its addresses, their targets, and what it fetches."""

import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urldefrag

from msgspec import Struct, field

_FETCHED: Final = {"img": "src", "script": "src", "link": "href", "source": "srcset", "iframe": "src"}
_BLOCKS: Final = re.compile(r"^(\||- |\d+\. |```)", re.MULTILINE)


class Shown(Struct):
    """What one page of the site has, with what it loads, and texts that look like markup."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Shown()
        self._paragraph: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.page.anchors.add(given["id"])
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        if given.get(_FETCHED.get(tag, "")) and given.get("rel") not in ("canonical", "next", "prev"):
            self.page.fetched.append(given[_FETCHED[tag]])
        self._paragraph = "" if tag == "p" else self._paragraph

    def handle_data(self, data: str) -> None:
        if self._paragraph is not None:
            self._paragraph += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "p" and self._paragraph is not None:
            if _BLOCKS.search(self._paragraph):
                self.page.unread.append(self._paragraph[:80])
            self._paragraph = None


def read_site(place: Path) -> dict[str, Shown]:
    """Every page by its path; the theme's 404 is a server's, whose place it knows alone."""
    found = {path.relative_to(place).as_posix(): path for path in sorted(place.rglob("*.html"))}
    return {name: _read(path) for name, path in found.items() if name != "404.html"}


def _read(path: Path) -> Shown:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def dead_links(place: Path, pages: dict[str, Shown]) -> Iterator[str]:
    """Links that lead nowhere within the site, each with its page."""
    for name, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(unquote(link))
            if re.match(r"[a-z]+:", target):
                continue
            path = os.path.normpath(Path(name).parent / target) if target else name
            known = pages[path].anchors if path in pages else {anchor}
            if not (place / path).is_file() or (anchor and anchor not in known):
                yield f"{name}: {link}"
