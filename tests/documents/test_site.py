"""The documentation's site: built strictly, whole, and from nowhere else."""

import re
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import urldefrag

import pytest
from tests.documents.site import Shown, dead_links, read_site
from tests.tools.block import DOCUMENTS, PAGES, ROOT
from tests.tools.documentation import build_site

pytestmark = pytest.mark.timeout(300)  # five seconds of work, which other work on the machine draws out

MARKDOWN: Final = (*DOCUMENTS, "CHANGELOG.md", "tests/benchmarks/README.md", "tests/traffic/README.md")
_LINK: Final = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
_FENCED: Final = re.compile(r"^\s*(`{3,}|~{3,}).*?^\s*\1\s*$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    try:
        build_site(place)
    except subprocess.CalledProcessError as error:
        pytest.fail(f"mkdocs: {error.stdout}{error.stderr}")
    return place


@pytest.fixture(scope="module")
def pages(place: Path) -> dict[str, Shown]:
    return read_site(place)


def test_every_page_is_on_the_site(pages: dict[str, Shown]) -> None:
    shown = {page.removesuffix(".html") for page in pages}
    assert {page.partition("/docs/")[2].removesuffix(".md") for page in PAGES} <= shown


def test_every_link_and_anchor_of_the_site_leads_somewhere(place: Path, pages: dict[str, Shown]) -> None:
    assert list(dead_links(place, pages)) == []


def test_the_site_fetches_nothing_from_elsewhere(pages: dict[str, Shown]) -> None:
    fetched = {address for page in pages.values() for address in page.fetched}
    assert fetched
    assert [address for address in fetched if re.match(r"(https?:)?//", address)] == []


def test_lists_and_tables_are_shown_as_such(pages: dict[str, Shown]) -> None:
    unread = {name: page.unread for name, page in pages.items() if page.unread}
    assert unread == {}, "a list, a table or a block wants an empty line before it"


def test_the_search_needs_no_server(place: Path) -> None:
    # A page that is opened from the disk may load a script and no JSON.
    assert "when-it-breaks.html" in (place / "search/search_index.js").read_text()


@pytest.mark.parametrize("document", MARKDOWN)
def test_a_link_of_a_document_leads_to_a_file_and_a_heading(document: str) -> None:
    text = _FENCED.sub("", (ROOT / document).read_text())
    dead = [link for link in _LINK.findall(text) if not _leads(document, link)]
    assert dead == []


def _leads(document: str, link: str) -> bool:
    target, anchor = urldefrag(link)
    if re.match(r"[a-z]+:", target):
        return True
    path = (ROOT / document).parent / target if target else ROOT / document
    return path.exists() and (not anchor or path.suffix != ".md" or anchor in _anchors(path))


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower())) for heading in headings}


def test_a_dead_link_is_noticed(place: Path) -> None:
    pages = {"index.html": Shown(links=["nowhere.html", "index.html#nothing", "https://elsewhere.example/"])}
    assert list(dead_links(place, pages)) == ["index.html: nowhere.html", "index.html: index.html#nothing"]
