"""Gathers the site's pages from where they lie: `docs/` of each package, and documents elsewhere.

A page keeps its path in the repository as its source, so a link between two pages is the same there and
on the site, and strict mode judges it. Only its place on the site is a shorter one.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("producer/docs", "consumer/docs", "shared/docs", "deploy/docs")
ELSEWHERE: Final = {
    "README.md": "readme.md",
    "producer/README.md": "producer.md",
    "consumer/README.md": "consumer.md",
    "shared/README.md": "shared.md",
    "deploy/README.md": "deploy.md",
    "CHANGELOG.md": "develop/changes.md",
    "CONTRIBUTING.md": "develop/contributing.md",
    "SECURITY.md": "develop/security-policy.md",
    "LICENSE": "licence.txt",
    "tests/README.md": "develop/tests.md",
    "tests/chaos/README.md": "develop/chaos.md",
    "tests/benchmarks/README.md": "develop/benchmarks.md",
    "tests/traffic/README.md": "develop/traffic.md",
}
"""Documents that stand elsewhere in the repository, and their place on the site."""
FILES: Final = (
    ".github/workflows/*.yml",
    "deploy/postgresql/roles.sql",
    "consumer/pictures/*.png",
    "shared/wire/*.json",
    "deploy/compose/alertmanager.yml",
    "deploy/grafana/faultwire.json",
    "deploy/kubernetes/overlays/single/kustomization.yaml",
    "deploy/prometheus/faultwire.rules.yml",
    "deploy/rabbitmq/definitions.json",
)
"""Files that pages show or link to; they keep their path."""

_WORDS_FOR_TESTS: Final = re.compile(r"^(\s*(?:```|~~~)\w+) .*$", re.MULTILINE)


def places() -> dict[str, str]:
    """Each source, as a path in the repository, with its place on the site.

    Raises:
        ValueError: two sources want one place.
    """
    found = dict(ELSEWHERE)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.md")):
            found[path.relative_to(ROOT).as_posix()] = path.relative_to(ROOT / folder).as_posix()
    for pattern in FILES:
        found |= {name: name for name in (path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern))}
    doubled = sorted({place for place in found.values() if list(found.values()).count(place) > 1})
    if doubled:
        raise ValueError(f"several files want one place on the site: {', '.join(doubled)}")
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every source under its path in the repository, shown at its place."""
    for source, place in places().items():
        file = File(source, str(ROOT), config.site_dir, config.use_directory_urls)
        file.dest_uri = _shown_at(place)
        files.append(file)
    return files


def _shown_at(place: str) -> str:
    path = PurePosixPath(place)
    return str(path.with_suffix(".html") if path.suffix == ".md" else path)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take off what stands behind a block's language: it tells the tests how to run it."""
    return _WORDS_FOR_TESTS.sub(r"\1", markdown)
