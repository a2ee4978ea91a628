"""Removes secrets from an event before it is spooled, published or stored.

Names are judged by ``key``, texts by their looks (``value``) and by the names in them (``pair``).
Pure, and linear in the event's size.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from faultwire_shared.event import Event, ExceptionInfo, Sdk
from faultwire_shared.scrub.key import KeyRules
from faultwire_shared.scrub.plain import PlainCheck
from faultwire_shared.scrub.tree import Tree
from faultwire_shared.scrub.value import SCRUBBED

UNSCRUBBED: Final = frozenset(
    (
        "id", "schema_version", "occurred_at", "severity", "service", "category", "handled", "count",
        "first_at", "last_at", "producer_id", "sequence",
    )
)  # fmt: skip
"""Fields by which an event is found, grouped and counted; a service named like a secret keeps its name."""

_PARTS: Final = frozenset(("fingerprint", "truncated"))
_TEXTS: Final = (
    "severity_text", "code", "message", "template", "environment", "release", "host", "transaction",
    "trace_id", "span_id",
)  # fmt: skip


class Scrubber:
    """Removes secrets from events, texts and mappings; thread-safe and immutable.

    Args:
        deny: names of fields that hold secrets in this service, in addition to the usual ones.
        allow: names of fields that hold none, even if the usual lists say so.
        send_default_pii: let a person's network address pass.
    """

    def __init__(
        self, *, deny: Iterable[str] = (), allow: Iterable[str] = (), send_default_pii: bool = False
    ) -> None:
        self._tree = Tree(KeyRules(deny, allow, send_default_pii=send_default_pii))
        self._plain = PlainCheck(self._tree)

    def scrub(self, event: Event) -> Event:
        """Return the event without its secrets, marked as ``scrubbed``; never raises.

        Of an event that cannot be read, because something foreign was put into it, only the kind of
        error is left.
        """
        try:
            if self._plain.is_plain(event):
                return replace(event, scrubbed=True)
            return self._scrubbed(event)
        except Exception:  # noqa: BLE001 - a processor may have put anything in, and what cannot be read may hold secrets
            return _bare(event)

    def scrub_text(self, text: str) -> str:
        """Return a text without its secrets."""
        return self._tree.text(text)

    def scrub_mapping(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
        """Return a mapping without its secrets."""
        return dict(mapping) if self._plain.is_plain_mapping(mapping) else self._tree.mapping(mapping)

    def is_inert(self, text: str) -> bool:
        """Return True if a string of a document, wherever it stands, neither goes nor makes another go."""
        return self._tree.is_inert(text)

    def scrub_trace(self, parts: Iterable[str]) -> list[str]:
        """Scrub the parts of a formatted traceback: in lines of a program only literals go."""
        text, source = self._tree.text, self._tree.source
        return [source(part) if part.startswith("  File ") else text(part) for part in parts]

    def scrub_document(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Scrub an event as JSON has it, from any publisher, including fields unknown to this version."""
        kept = {key: document[key] for key in document.keys() & UNSCRUBBED}
        parts = {key: value for key in _PARTS if isinstance(value := document.get(key), list)}
        open_fields = {key: value for key, value in document.items() if key not in kept and key not in parts}
        return {
            **kept,
            **self.scrub_mapping(open_fields),
            **{key: self._tree.parts(value) for key, value in parts.items()},
            "scrubbed": True,
        }

    def scrub_frames(self, frames: Any) -> Any:
        """Scrub the frames of an exception as JSON has them; in a line of source only literals go."""
        if not isinstance(frames, list):
            return self._tree.value(frames)
        return [
            self._document_frame(each) if isinstance(each, dict) else self._tree.value(each)
            for each in frames
        ]

    def _document_frame(self, frame: dict[str, Any]) -> dict[str, Any]:
        scrubbed = self._tree.mapping(frame)
        if isinstance(lines := frame.get("context"), list):
            scrubbed["context"] = self._tree.source_lines(lines)
        return scrubbed

    def _scrubbed(self, event: Event) -> Event:
        text, mapping = self._tree.text, self._tree.mapping
        texts = {name: text(found) for name in _TEXTS if (found := getattr(event, name)) is not None}
        return replace(
            event,
            **texts,
            exceptions=[self._exception(each) for each in event.exceptions],
            context=mapping(event.context),
            tags=mapping(event.tags),
            user=mapping(event.user),
            request=mapping(event.request),
            breadcrumbs=[mapping(each) for each in event.breadcrumbs],
            fingerprint=self._tree.parts(event.fingerprint),
            truncated=self._tree.parts(event.truncated),
            sdk=None
            if event.sdk is None
            else Sdk(name=text(event.sdk.name), version=text(event.sdk.version)),
            scrubbed=True,
        )

    def _exception(self, exception: ExceptionInfo) -> ExceptionInfo:
        text = self._tree.text
        return replace(
            exception,
            type=text(exception.type),
            module=text(exception.module),
            value=text(exception.value),
            attributes=self._tree.mapping(exception.attributes),
            notes=self._tree.parts(exception.notes),
            frames=[self._plain.frame(each) for each in exception.frames],
            members=[[self._exception(each) for each in chain] for chain in exception.members],
        )


def _bare(event: Event) -> Event:
    """Return what can be kept of an unreadable event: the service, the kind of error, and the time."""
    return Event(
        id=event.id,
        schema_version=event.schema_version,
        occurred_at=event.occurred_at,
        severity=event.severity,
        service=event.service,
        category=event.category,
        message=SCRUBBED,
        handled=event.handled,
        count=event.count,
        first_at=event.first_at,
        last_at=event.last_at,
        scrubbed=True,
        truncated=["scrubbed"],
    )
