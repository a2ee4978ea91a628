"""The text of each call of a trace, as the standard library has told it: kept for when it is told again."""

import linecache
import time
import traceback
from types import CodeType, TracebackType
from typing import Final

from faultwire_shared.foreign.trail import TRAILS, Trail, codes_of, trail_of
from faultwire_shared.memo import Memo

LOOK_SECONDS: Final = 1.0
"""Between two looks at whether a file has changed; ``traceback`` looks each time."""
_REPEATED: Final = 3
"""Equal calls in a row, from which on ``traceback`` counts them."""


class Untold(Exception):  # noqa: N818 - named for what it says of the trace; it is handled, never shown
    """A trace that is not told by what is remembered: for once, or for good."""


class _ToldFile:
    """A source file as the texts that were made of it have it."""

    __slots__ = ("looked_at", "name", "source")

    def __init__(self, name: str) -> None:
        self.name = name
        self.source: object = linecache.cache.get(name)
        self.looked_at = time.monotonic()

    def is_as_read(self, now: float) -> bool:
        if now - self.looked_at > LOOK_SECONDS:
            self.looked_at = now
            linecache.checkcache(self.name)
        return linecache.cache.get(self.name) is self.source


class _ToldCall:
    """One call at one place, and its text."""

    __slots__ = ("code", "file", "place", "text")

    def __init__(self, code: CodeType, file: _ToldFile, line: int, text: str) -> None:
        self.code = code
        """Held, so that its address stays its own."""
        self.file = file
        self.place = code.co_filename, line, code.co_name
        self.text = text


class _ToldTrail:
    """All calls of one trace, and their texts."""

    __slots__ = ("codes", "files", "texts")

    def __init__(
        self, codes: tuple[CodeType, ...], files: tuple[_ToldFile, ...], texts: tuple[str, ...]
    ) -> None:
        self.codes = codes
        """Held, as above."""
        self.files = files
        self.texts = texts


class CallMemory:
    """Texts by the call; what is compiled anew each time drives out the others at most every few thousand."""

    def __init__(self) -> None:
        self._calls: Memo[Trail, _ToldCall] = Memo()
        self._trails: Memo[Trail, _ToldTrail] = Memo(TRAILS)
        self._files: Memo[str, _ToldFile] = Memo()

    def texts(self, trace: TracebackType | None, trail: Trail | None) -> tuple[str, ...]:
        """Return the text of each call, the very same tuple each time.

        Raises:
            Untold: one of them is not known, or its file has changed; they repeat, are too many, or none.
        """
        trail = trail or trail_of(trace)
        if trail is None:
            raise Untold
        now = time.monotonic()
        known = self._trails.get(trail)
        if known is None:
            known = self._gathered(trace, trail)
        for file in known.files:
            if not file.is_as_read(now):
                self._trails.pop(trail, None)
                raise Untold
        return known.texts

    def _gathered(self, trace: TracebackType | None, trail: Trail) -> _ToldTrail:
        calls = [self._calls.get(trail[at : at + 3]) for at in range(0, len(trail), 3)]
        known = [call for call in calls if call is not None]
        # Anew, as another thread may have raised the same exception meanwhile.
        if len(known) < len(calls) or _repeat(known) or trail_of(trace) != trail:
            raise Untold
        files = {id(call.file): call.file for call in known}
        told = _ToldTrail(codes_of(trace), tuple(files.values()), tuple([call.text for call in known]))
        self._trails[trail] = told
        return told

    def learn(self, trace: TracebackType | None, told: traceback.StackSummary) -> None:
        """Keep the texts of a trace's calls.

        Raises:
            Untold: the standard library tells of others.
        """
        for summary in told:
            if trace is None:
                raise Untold
            code, line = trace.tb_frame.f_code, trace.tb_lineno
            call = _ToldCall(code, self._file(code.co_filename), line, told.format_frame_summary(summary))
            self._calls[id(code), trace.tb_lasti, line] = call
            trace = trace.tb_next

    def take(self, other: "CallMemory") -> None:
        """Keep what another has learned."""
        for key, call in other._calls.items():  # noqa: SLF001 - its own kind
            call.file = self._file(call.file.name)
            self._calls[key] = call

    def _file(self, name: str) -> _ToldFile:
        known = self._files.get(name)
        if known is None or linecache.cache.get(name) is not known.source:
            known = self._files[name] = _ToldFile(name)
        return known


def _repeat(calls: list[_ToldCall]) -> bool:
    repeated, place = 0, None
    for call in calls:
        repeated = repeated + 1 if call.place == place else 1
        if repeated > _REPEATED:
            return True
        place = call.place
    return False
