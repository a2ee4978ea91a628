"""Cheap check of events for anything to remove: most have nothing.

Parts that a client's events repeat are checked once: the frames, which it makes once for each line of
code and reuses, whole stacks of them, keys, and the names that stay the same.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from faultwire_shared.event import DEPTH, STRING_CHARACTERS, Event, ExceptionInfo, Frame
from faultwire_shared.foreign.trail import TRAILS
from faultwire_shared.memo import Memo
from faultwire_shared.scrub.pair import VALUES
from faultwire_shared.scrub.tree import Tree, is_plain
from faultwire_shared.scrub.value import CARD_MIN

_DEPTH: Final = DEPTH


class PlainCheck:
    """Looks for signs of secrets, and remembers parts without any."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._frames: Memo[int, tuple[Frame, Frame]] = Memo()
        # By all frames, as many raise in the same place; they are held, so that their ids are theirs.
        self._stacks: Memo[tuple[int, ...], list[Frame]] = Memo(TRAILS)
        self._calls: Memo[int, tuple[Frame, Frame]] = Memo()
        self._plain_keys: Memo[str, None] = Memo()
        self._plain_names: Memo[tuple[str | None, ...], None] = Memo()

    def is_plain(self, event: Event) -> bool:
        """Return True if there is nothing to remove; False for a text that only looks suspicious."""
        names = event.code, event.environment, event.release, event.host, event.severity_text
        if names not in self._plain_names and not self._learn_names(names):
            return False
        texts = [event.message]
        texts += event.fingerprint
        texts += event.truncated
        for text in (event.transaction, event.template, event.trace_id, event.span_id):
            if text is not None:
                texts.append(text)
        for exception in event.exceptions:
            if not self._is_plain_exception(exception, texts):
                return False
        for mapping in (event.context, event.tags, event.user, event.request, *event.breadcrumbs):
            if mapping and not self._is_plain_mapping(mapping, texts, 0):
                return False
        sdk = event.sdk
        if (
            sdk is not None
            and (sdk.name, sdk.version) not in self._plain_names
            and not self._learn_names((sdk.name, sdk.version))
        ):
            return False
        joined = "\n".join(texts)
        return len(joined) < STRING_CHARACTERS and is_plain(joined)

    def is_plain_mapping(self, mapping: Mapping[str, Any]) -> bool:
        """Return True if a mapping, as JSON has it, holds nothing to remove."""
        texts: list[str] = []
        if type(mapping) is not dict or not self._is_plain_mapping(mapping, texts, 0):
            return False
        joined = "\n".join(texts)
        return len(joined) < STRING_CHARACTERS and is_plain(joined)

    def _is_plain_exception(self, exception: ExceptionInfo, texts: list[str]) -> bool:
        frames = exception.frames
        if frames and tuple(map(id, frames)) not in self._stacks and not self._learn_stack(frames):
            return False
        if exception.value is not texts[0]:
            texts.append(exception.value)
        texts += exception.notes
        if (exception.type, exception.module) not in self._plain_names and not self._learn_names(
            (exception.type, exception.module)
        ):
            return False
        if exception.attributes and not self._is_plain_mapping(exception.attributes, texts, 0):
            return False
        if not exception.members:
            return True
        return all(self._is_plain_exception(each, texts) for chain in exception.members for each in chain)

    def _is_plain_mapping(self, mapping: dict[str, Any], texts: list[str], depth: int) -> bool:
        plain = self._plain_keys
        for key, value in mapping.items():
            if key not in plain and not self._learn_key(key, mapping):
                return False
            kind = type(value)
            if kind is str:
                texts.append(value)
            elif kind is int:
                if value >= CARD_MIN:
                    return False
            elif value is not None and kind is not bool and not self._is_plain_value(value, texts, depth):
                return False
        return True

    def _is_plain_value(self, value: Any, texts: list[str], depth: int) -> bool:
        kind = type(value)
        if kind is dict and depth < _DEPTH:
            return self._is_plain_mapping(value, texts, depth + 1)
        if kind is list and depth < _DEPTH:
            return self._is_plain_list(value, texts, depth)
        return kind is float and bool(value < CARD_MIN)

    def _is_plain_list(self, value: list[Any], texts: list[str], depth: int) -> bool:
        if len(value) == 2 and self._tree.names_secret(value[0]):
            return False
        for item in value:
            if type(item) is str:
                if item[:1] == "-":
                    return False
                texts.append(item)
            elif not self._is_plain_mapping({"item": item}, texts, depth + 1):
                return False
        return True

    def _learn_stack(self, frames: list[Frame]) -> bool:
        # Variables differ in each event: what is learnt of one would be held for nothing.
        if any(each.vars or self.frame(each) is not each for each in frames):
            return False
        self._stacks[tuple(map(id, frames))] = list(frames)
        return True

    def _learn_names(self, names: tuple[str | None, ...]) -> bool:
        if any(name is not None and self._tree.text(name) is not name for name in names):
            return False
        self._plain_names[names] = None
        return True

    def _learn_key(self, key: str, mapping: dict[str, Any]) -> bool:
        if not self._tree.is_plain_key(key, mapping):
            return False
        if key.lower() not in VALUES:
            self._plain_keys[key] = None
        return True

    def frame(self, frame: Frame) -> Frame:
        """Return a frame without its secrets: the frame itself if it has none."""
        known = self._frames.get(id(frame))
        if known is not None:
            return known[1]
        if frame.vars:
            return self._with_variables(frame)
        found = self._scrubbed(frame)
        kept = frame if found == frame else found
        # The frame itself is held, so that its id() cannot be reused by another.
        self._frames[id(frame)] = frame, kept
        return kept

    def _with_variables(self, frame: Frame) -> Frame:
        """Scrub the variables of one event; the rest is the call's, known by the list of its source lines."""
        known = self._calls.get(id(frame.context))
        if known is None or not _is_of(frame, known[0]):
            bare = replace(frame, vars={})
            known = self._calls[id(frame.context)] = bare, self._scrubbed(bare)
        clean = known[1]
        return replace(
            frame,
            file=clean.file,
            module=clean.module,
            qualname=clean.qualname,
            context=clean.context,
            vars=self._tree.mapping(frame.vars),
        )

    def _scrubbed(self, frame: Frame) -> Frame:
        text = self._tree.text
        return replace(
            frame,
            file=text(frame.file),
            module=text(frame.module),
            qualname=text(frame.qualname),
            context=self._tree.source_lines(frame.context),
        )


def _is_of(frame: Frame, call: Frame) -> bool:
    return (frame.file, frame.module, frame.qualname) == (call.file, call.module, call.qualname)
