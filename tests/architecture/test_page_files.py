"""What a page is made of: how much a browser loads, whose it is, and what a strict policy lets run."""

import gzip
import hashlib
import re
import zipfile
from pathlib import Path
from typing import Final

from hatchling.builders.wheel import WheelBuilder

from faultwire_consumer.serving.protection import SECURITY_HEADERS
from faultwire_consumer.web.page.asset import ASSETS
from faultwire_consumer.web.page.keys import SHORTCUTS

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "consumer/faultwire_consumer/web/page"
VENDORED: Final = PAGE / "static/vendored"
TEMPLATES: Final = sorted((PAGE / "templates").rglob("*.html"))
BUDGET_BYTES: Final = 60 * 1024
SCRIPT_KEYS: Final = {"j", "k", "o", "x", "u", "/", "?"}
"""What the script does by itself, with or without an element that names the key."""

ROW: Final = re.compile(r"\| (\S+) \| \S+, \S+ \| \S+ \| \S+ \((\S+)\) \| ([0-9a-f]{64}) \|")


def test_all_scripts_and_styles_of_a_page_are_below_the_budget() -> None:
    sizes = {
        name: len(gzip.compress(asset.body)) for name, asset in ASSETS.items() if not name.endswith("svg")
    }
    assert set(sizes) == {"page.css", "page.js", "htmx.min.js", "uplot.min.js", "uplot.min.css"}
    assert sum(sizes.values()) < BUDGET_BYTES, sizes


def test_a_file_of_others_is_as_it_was_published_and_says_its_licence() -> None:
    listed = {
        name: (licence, digest) for name, licence, digest in ROW.findall(_text(VENDORED / "VENDORED.md"))
    }
    found = {path.name for path in VENDORED.iterdir() if path.suffix in (".js", ".css")}
    assert found == set(listed), "each stands in VENDORED.md, and nothing else does"
    for name, (licence, digest) in listed.items():
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == digest, name
        assert len(_text(VENDORED / licence)) > 300, f"{licence} holds the licence's own words"


def test_the_policy_lets_only_our_own_files_run() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "connect-src 'self';" in policy


def test_a_template_has_no_script_style_or_handler_of_its_own() -> None:
    for path in TEMPLATES:
        text = _text(path)
        assert not re.search(r"<style|\sstyle=|javascript:|\son[a-z]+=|\bhx-on", text), path.name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), path.name


def test_a_template_escapes_all_that_it_shows() -> None:
    for path in TEMPLATES:
        assert not re.search(r"\|\s*safe\b|Markup|autoescape", _text(path)), path.name


def test_our_scripts_make_no_code_and_no_markup_of_text() -> None:
    made = re.compile(
        r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\.style\b"
    )
    for path in sorted((PAGE / "static/js").glob("*.js")):
        lines = [line for line in _text(path).splitlines() if made.search(line)]
        assert lines == [], path.name


def test_colours_stand_in_one_place_for_light_and_dark() -> None:
    for path in sorted((PAGE / "static/css").glob("*.css")):
        rules = re.sub(r"/\*.*?\*/", "", _text(path), flags=re.DOTALL)
        if path.name.startswith("00-"):
            rules = re.sub(r":root \{.*?\}", "", rules, count=1, flags=re.DOTALL)
        assert not re.search(r":[^;{}]*#[0-9a-fA-F]{3,8}\b", rules), path.name


def test_a_key_that_a_page_names_is_on_the_list_of_keys() -> None:
    named = {key for path in TEMPLATES for key in re.findall(r'data-key="([^"{]+)"', _text(path))}
    listed = {" ".join(one.keys) for group in SHORTCUTS for one in group.keys}
    assert named <= listed
    assert listed >= SCRIPT_KEYS


def test_a_wheel_holds_every_file_of_the_page(tmp_path: Path) -> None:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    held = set(zipfile.ZipFile(built).namelist())
    parts = [path for folder in ("static", "templates") for path in (PAGE / folder).rglob("*")]
    files = {str(path.relative_to(ROOT / "consumer")) for path in parts if path.is_file()}
    missing = files - held
    assert not missing


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
