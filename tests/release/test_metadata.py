"""What a package index shows of a release, and that it says one version everywhere."""

import json
import re
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from ruamel.yaml import YAML

from faultwire_shared import __version__

ROOT: Final = Path(__file__).parents[2]
CHANGELOG: Final = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
_LINK: Final = re.compile(r"""\]\(([^)]+)\)|(?:src|srcset|href)="([^"]+)\"""")


@pytest.fixture(scope="module")
def project() -> ProjectMetadata:  # type: ignore[type-arg] # its parameter is a plugin manager of its own
    return ProjectMetadata(str(ROOT), PluginManager())


@pytest.fixture(scope="module")
def description(project: ProjectMetadata) -> str:  # type: ignore[type-arg] # as above
    return str(project.core.readme)


def test_the_version_is_told_once_and_repeated_by_what_cannot_ask(project: ProjectMetadata) -> None:  # type: ignore[type-arg] # as above
    assert project.version == __version__
    assert f'image.version="{__version__}"' in (ROOT / "deploy/Dockerfile").read_text()
    tags = [
        image["newTag"]
        for path in sorted((ROOT / "deploy/kubernetes").rglob("kustomization.yaml"))
        for image in YAML(typ="safe").load(path).get("images", ())
    ]
    assert set(tags) == {__version__}
    assert re.search(r"^## \[(\d[^]]*)\]", CHANGELOG, re.MULTILINE)[1] == __version__  # type: ignore[index] # there is one


def test_each_release_s_notes_say_how_to_come_and_how_to_go_back() -> None:
    sections = re.split(r"^## \[", CHANGELOG, flags=re.MULTILINE)[1:]
    for section in sections:
        if not section.startswith("Unreleased"):
            headings = re.findall(r"^### (.+)$", section, re.MULTILINE)
            assert headings[:2] == ["Upgrade", "Back"], section[:20]


def test_every_link_of_the_index_s_page_is_whole_and_leads_to_a_file(
    project: ProjectMetadata,  # type: ignore[type-arg] # as above
    description: str,
) -> None:
    source = project.core.urls["Source"]
    raw = source.replace("github.com", "raw.githubusercontent.com")
    places = [f"{source}/blob/v{__version__}/", f"{raw}/v{__version__}/"]
    links = [match[1] or match[2] for match in _LINK.finditer(description)]
    ours = [link for link in links if source.partition("://")[2].partition("/")[2] in link]
    assert len(ours) > 10
    assert all(link.startswith("https://") for link in links)
    for link in ours:
        assert _path_of(link, places).is_file(), link


def test_the_index_s_page_asks_for_nothing_that_its_reader_has_not(description: str) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", description, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 2
    assert not [text for text in blocks if "make" in text.split()]
    assert "pip install 'faultwire[consumer]'" in "".join(blocks)


def test_the_index_knows_where_to_turn_to_and_which_pythons_are_meant(
    project: ProjectMetadata,  # type: ignore[type-arg] # as above
) -> None:
    assert {"Source", "Documentation", "Changelog", "Issues", "Security"} <= set(project.core.urls)
    assert project.core.authors
    assert _pythons(project.core.classifiers) == ["3.11", "3.12", "3.13", "3.14"]
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]["hooks"]
    links = [
        one["replacement"]
        for one in hook["fancy-pypi-readme"]["substitutions"]
        if "blob" in one["replacement"]
    ]
    assert all(project.core.urls["Source"] in link for link in links)


@pytest.mark.e2e
@pytest.mark.timeout(900)
@pytest.mark.may_block("builds wheel and sdist")
def test_what_is_in_a_release_is_listed_beside_it(released: Path) -> None:
    # What else `deploy/release` promises, it asks itself.
    names = {path.name for path in released.iterdir()}
    stem = f"faultwire-{__version__}"
    assert {f"{stem}-py3-none-any.whl", f"{stem}.tar.gz", f"{stem}.cdx.json", f"{stem}.notes.md"} <= names
    listed = json.loads((released / f"{stem}.cdx.json").read_text())
    assert listed["metadata"]["component"]["version"] == __version__
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "deploy/constraints.txt").read_text(), re.MULTILINE)
    assert sorted(one["name"] for one in listed["components"]) == sorted(pinned)
    assert all(one["externalReferences"][0]["hashes"] for one in listed["components"])
    assert (released / f"{stem}.notes.md").read_text().lstrip().startswith("### Upgrade")
    subprocess.run(
        ["sha256sum", "--check", "--quiet", f"{stem}.sha256"], cwd=released, check=True, timeout=60
    )


def _path_of(link: str, places: Sequence[str]) -> Path:
    for place in places:
        if link.startswith(place):
            return ROOT / link.removeprefix(place).partition("#")[0]
    return ROOT / "nothing"


def _pythons(classifiers: Sequence[str]) -> list[str]:
    return [one.rpartition(" ")[2] for one in classifiers if re.fullmatch(r".*Python :: 3\.\d+", one)]
