"""Settings of links that lead out: to the source, and to the tracker."""

import json
from typing import Annotated, Any, Final

from pydantic import BaseModel, field_validator
from pydantic_settings import NoDecode

from faultwire_consumer.domain.links.source import SourceLinks, read_source_template
from faultwire_consumer.domain.links.template import LinkTemplate
from faultwire_consumer.domain.links.tracker import read_tracker_template
from faultwire_shared.event import NAME_CHARACTERS

SERVICES_MAX: Final = 1_000


class LinkSettings(BaseModel):
    """The part of a worker's configuration that says where source and issues are."""

    source_link: str | None = None
    """A frame's line in the repository, as ``https://git.example/shop/blob/{release}/{path}#L{line}``.

    Fields: path, line, release, service, module.
    """
    source_links: Annotated[dict[str, str], NoDecode] = {}
    """The same for services with a repository of their own, as ``{billing = "https://…/{path}#L{line}"}``."""
    tracker_link: str | None = None
    """A new issue, as ``https://git.example/shop/issues/new?title={title}&body={body}``.

    Fields: title, body, link, service, release, id.
    """

    @property
    def sources(self) -> SourceLinks:
        """The templates of links to source."""
        services = {name: read_source_template(text) for name, text in self.source_links.items()}
        usual = None if self.source_link is None else read_source_template(self.source_link)
        return SourceLinks(usual, services)

    @property
    def tracker(self) -> LinkTemplate | None:
        """The template that opens an issue; None where none is set."""
        return None if self.tracker_link is None else read_tracker_template(self.tracker_link)

    @field_validator("source_link")
    @classmethod
    def _check_source_link(cls, value: str | None) -> str | None:
        if value is not None:
            read_source_template(value)
        return value

    @field_validator("source_links", mode="before")
    @classmethod
    def _read_source_links(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                value = None
        if not (isinstance(value, dict) and all(map(_is_link, value.keys(), value.values()))):
            raise ValueError('write {billing = "https://git.example/{path}#L{line}"}; in a variable as JSON')
        if len(value) > SERVICES_MAX:
            raise ValueError(f"at most {SERVICES_MAX} services; {{service}} in source_link serves them all")
        for text in value.values():
            read_source_template(text)
        return value

    @field_validator("tracker_link")
    @classmethod
    def _check_tracker_link(cls, value: str | None) -> str | None:
        if value is not None:
            read_tracker_template(value)
        return value


def _is_link(service: Any, link: Any) -> bool:
    return isinstance(service, str) and 1 <= len(service) <= NAME_CHARACTERS and isinstance(link, str)
