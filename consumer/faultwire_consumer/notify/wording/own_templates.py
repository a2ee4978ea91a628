"""A receiver's own templates: read from a folder, tried on samples, and the built-in ones where one fails."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.notify.message import SUBJECT_CHARACTERS
from faultwire_consumer.notify.notification import Notification, Wording
from faultwire_consumer.notify.wording.built_in import FILES, HTML_FILE, SUBJECT_FILE, TEXT_FILE
from faultwire_consumer.notify.wording.sample import sample_notifications
from faultwire_consumer.notify.wording.show import Show, clean_line
from faultwire_consumer.notify.wording.template import SOURCE_BYTES, OwnTemplate, TemplateFaultError
from faultwire_consumer.notify.wording.values import values_of

TEXT_CHARACTERS: Final = 32_000
HTML_CHARACTERS: Final = 200_000
_MAXIMA: Final[Mapping[str, int]] = {
    SUBJECT_FILE: 1_000,
    TEXT_FILE: TEXT_CHARACTERS,
    HTML_FILE: HTML_CHARACTERS,
}
_FIELDS: Final[Mapping[str, str]] = {SUBJECT_FILE: "subject", TEXT_FILE: "text", HTML_FILE: "html"}
_NOON: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Worded(Struct, frozen=True):
    """A notification in own words, and the faults of the templates that made nothing of it."""

    wording: Wording
    faults: tuple[TemplateFaultError, ...] = ()


class OwnTemplates:
    """The templates of one receiver.

    Args:
        folder: holds any of `FILES`; what it lacks stays built-in.
        receiver: whose they are.
        show: makes a stranger's text safe for where this receiver shows its text.
    """

    def __init__(self, folder: str, receiver: str, *, show: Show = clean_line) -> None:
        self._show = show
        self._templates: dict[str, OwnTemplate] = {}
        self.faults: tuple[TemplateFaultError, ...] = tuple(self._read(Path(folder), receiver))
        """What is wrong with them: one entry for each template that is not used."""

    def word(self, notification: Notification) -> Worded:
        """Write a notification by the templates that are whole; for the others nothing."""
        values = values_of(notification, show=self._show)
        texts, faults = dict[str, str](), list[TemplateFaultError]()
        for name, template in self._templates.items():
            try:
                texts[_FIELDS[name]] = _render(name, template, values)
            except TemplateFaultError as fault:
                faults.append(fault)
        return Worded(Wording(**texts), tuple(faults))

    def _read(self, folder: Path, receiver: str) -> Iterator[TemplateFaultError]:
        found = [name for name in FILES if (folder / name).is_file()]
        if not found:
            yield TemplateFaultError(str(folder), 1, f"the folder has none of {', '.join(FILES)}")
        for name in found:
            try:
                template = _read_file(folder / name, html=name == HTML_FILE)
                for sample in sample_notifications(receiver, at=_NOON):
                    _render(name, template, values_of(sample, show=self._show))
                self._templates[name] = template
            except TemplateFaultError as fault:
                yield fault


def _read_file(path: Path, *, html: bool) -> OwnTemplate:
    try:
        with path.open("rb") as file:
            source = file.read(SOURCE_BYTES + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TemplateFaultError(str(path), 1, "it is not UTF-8") from None
    except OSError as error:
        raise TemplateFaultError(str(path), 1, error.strerror or "it cannot be read") from None
    return OwnTemplate(str(path), source, html=html)


def _render(name: str, template: OwnTemplate, values: Mapping[str, Any]) -> str:
    text = template.render(values, maximum=_MAXIMA[name])
    if name == SUBJECT_FILE:
        text = clean_line(" ".join(text.split()), SUBJECT_CHARACTERS)
    if not text.strip():
        raise TemplateFaultError(template.name, 1, "it writes nothing")
    return text
