"""Links to source: the address of a frame's line, where the frame is of the service's own code."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from faultwire_consumer.domain.links.template import LinkTemplate, fill, read_template
from faultwire_shared.event import Frame

FIELDS: Final = ("path", "line", "release", "service", "module")
EXAMPLE: Final = "https://git.example/shop/blob/{release}/{path}#L{line}"
URL_CHARACTERS: Final = 4_000
"""The most characters of a link to source."""
_PATH_CHARACTERS: Final = 1_000
_LINE_MAX: Final = 10_000_000
# Of another place than the repository: a root, a drive, a scheme, what was never in a file.
_ELSEWHERE: Final = re.compile(r"[/\\~<]|[A-Za-z][A-Za-z0-9+.-]*:")
_NOT_FOLDERS: Final = frozenset(("", ".", "..", "site-packages", "dist-packages"))


class SourceLinks(Struct, frozen=True):
    """The templates of a worker: one for each service that has its own, and one for all others."""

    usual: LinkTemplate | None = None
    services: Mapping[str, LinkTemplate] = field(default_factory=dict)

    def url_of(self, frame: Frame, *, service: str, release: str | None) -> str | None:
        """Return the address of a frame's line; None where none is known."""
        template = self.services.get(service, self.usual)
        return None if template is None else source_url(template, frame, service=service, release=release)


NO_SOURCE_LINKS: Final = SourceLinks()


def read_source_template(text: str) -> LinkTemplate:
    """Check the setting of a link to source.

    Raises:
        ValueError: it cannot be used; the text says why, and what would do.
    """
    template = read_template(text, FIELDS, example=EXAMPLE)
    if not template.fields & {"path", "module"}:
        raise ValueError(f"it needs {{path}} or {{module}}, else every line is one; write {EXAMPLE}")
    return template


def source_url(template: LinkTemplate, frame: Frame, *, service: str, release: str | None) -> str | None:
    """Return the address of the line at which a frame was.

    None where the frame is a library's, where its path is not one in a repository, and where something
    that the template asks for is not known: no link is better than one to something else.

    Args:
        template: of the service's repository.
        frame: one call of a stack.
        service: the service of the event.
        release: the release of the event, a version, a tag or a commit.
    """
    if not frame.in_app:
        return None
    values = {
        "path": repository_path(frame.file) or "",
        "line": str(frame.line) if 0 < frame.line <= _LINE_MAX else "",
        "release": _plain(release or ""),
        "service": _plain(service),
        "module": _plain(frame.module),
    }
    if not all(values[name] for name in template.fields):
        return None
    return fill(template, values, most=URL_CHARACTERS)


def repository_path(file: str) -> str | None:
    """Return a frame's file as a path in its repository; None where it is not one."""
    if _ELSEWHERE.match(file) is not None or len(file) > _PATH_CHARACTERS or not file.isprintable():
        return None
    path = file if "/" in file else file.replace("\\", "/")
    return None if _NOT_FOLDERS & set(path.split("/")) else path


def _plain(text: str) -> str:
    return text if text.isprintable() else ""
