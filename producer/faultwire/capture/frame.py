"""The frames of a traceback, from the outermost call to the crash; built once per line of code.

No look at the disk after the first sight of a file: ``traceback`` and ``linecache.checkcache`` cost a stat
per frame, which is most of what logging an exception costs.
"""

from collections import deque
from collections.abc import Iterable
from types import CodeType, TracebackType
from typing import Final

from msgspec.structs import replace

from faultwire.capture.code_owner import CodeOwner, shown_path
from faultwire.capture.place import Place, place_of
from faultwire.capture.source import AROUND, read_source
from faultwire_shared.event import FRAMES, NAME_CHARACTERS, Frame
from faultwire_shared.foreign.trail import TRAILS, Trail, codes_of, trail_of
from faultwire_shared.memo import Memo
from faultwire_shared.snapshot import clean_text

OUTER_FRAMES: Final = 25
"""Outermost calls that are kept of a deeper traceback; the rest of what is kept is at the crash."""
LAST_FRAMES: Final = FRAMES - OUTER_FRAMES
"""Calls at the crash that are kept in any case."""
_PATH_CHARACTERS: Final = 400


class FrameReader:
    """Reads tracebacks, and remembers each line that it has read.

    Args:
        in_app_include: modules (with what is below them) that count as the service's own wherever they lie.
        in_app_exclude: modules that do not, though they lie among its own; the longer name wins.
        owner: judges the rest.
        with_variables: own calls' local variables are to be read too.
    """

    def __init__(
        self,
        in_app_include: Iterable[str] = (),
        in_app_exclude: Iterable[str] = (),
        owner: CodeOwner | None = None,
        *,
        with_variables: bool = False,
    ) -> None:
        self.with_variables = with_variables
        self._owner = owner or CodeOwner()
        self._rules = {
            # The client's own middlewares and guards, wherever it is installed from.
            **dict.fromkeys(("faultwire", "faultwire_shared"), False),
            **dict.fromkeys(map(str, in_app_exclude), False),
            **dict.fromkeys(map(str, in_app_include), True),
        }
        # By identity, as a code object's hash reads all of its bytes; the object itself is kept next to
        # the frame, so its identity cannot come back as another's.
        self._cache: Memo[tuple[int, int], tuple[CodeType, Frame]] = Memo()
        self._trails: Memo[Trail, tuple[tuple[CodeType, ...], tuple[Frame, ...]]] = Memo(TRAILS)
        self._by_place: Memo[tuple[Place, int], Frame] = Memo()
        self._lean: Memo[int, tuple[Frame, Frame]] = Memo()

    def read(self, traceback: TracebackType | None, trail: Trail | None = None) -> tuple[list[Frame], bool]:
        """The frames, at most ``FRAMES`` with both ends kept, and whether any were left out.

        ``trail`` is the traceback's, where it is at hand.
        """
        trail = trail or trail_of(traceback)
        known = None if trail is None else self._trails.get(trail)
        if known is not None:
            return list(known[1]), False
        frames, cut = self._read(traceback)
        # Anew, as another thread may have raised the same exception meanwhile.
        if not cut and trail is not None and trail_of(traceback) == trail:
            self._remember(trail, traceback, frames)
        return frames, cut

    def _remember(self, trail: Trail, traceback: TracebackType | None, frames: list[Frame]) -> None:
        codes = codes_of(traceback)
        # What is compiled anew each time comes never again.
        if all((id(code), line) in self._cache for code, line in zip(codes, trail[2::3], strict=True)):
            self._trails[trail] = codes, tuple(frames)

    def _read(self, traceback: TracebackType | None) -> tuple[list[Frame], bool]:
        outer: list[Frame] = []
        cache = self._cache
        while traceback is not None and len(outer) < FRAMES:
            known = cache.get((id(traceback.tb_frame.f_code), traceback.tb_lineno))
            outer.append(known[1] if known is not None else self._frame(traceback))
            traceback = traceback.tb_next
        if traceback is None:
            return outer, False
        last: deque[TracebackType] = deque(maxlen=LAST_FRAMES)
        while traceback is not None:
            last.append(traceback)
            traceback = traceback.tb_next
        kept = outer[OUTER_FRAMES:] + [self._frame(each) for each in last]
        return outer[:OUTER_FRAMES] + kept[-LAST_FRAMES:], True

    def lean(self, frame: Frame) -> Frame:
        """The frame with the line alone that ran; the same each time, as whoever scrubs knows it again."""
        known = self._lean.get(id(frame))
        if known is None:
            known = self._lean[id(frame)] = frame, replace(frame, context=[frame.ran])
        return known[1]

    def _frame(self, traceback: TracebackType) -> Frame:
        frame, line = traceback.tb_frame, traceback.tb_lineno or 0
        key = (id(frame.f_code), traceback.tb_lineno)
        known = self._cache.get(key)
        if known is not None:
            return known[1]
        place = place_of(frame)
        found = self._by_place.get((place, line))
        if found is None:
            found = self._by_place[place, line] = self._read_frame(traceback, place)
            # What is compiled anew each time would drive out all the others, and be held for nothing.
            self._cache[key] = frame.f_code, found
        return found

    def _read_frame(self, traceback: TracebackType, place: Place) -> Frame:
        path, name, module = place
        frame, line = traceback.tb_frame, traceback.tb_lineno or 0
        # By the name that it was given, whether or not that names a module.
        given = clean_text(frame.f_globals.get("__name__") or "", NAME_CHARACTERS)
        in_app = self._is_in_app(path, given)
        return Frame(
            file=clean_text(shown_path(path, given), _PATH_CHARACTERS),
            module=clean_text(module, NAME_CHARACTERS),
            qualname=clean_text(name, NAME_CHARACTERS),
            line=line,
            in_app=in_app,
            context=read_source(path, line, frame.f_globals, around=AROUND if in_app else 0),
        )

    def _is_in_app(self, path: str, module: str) -> bool:
        name = module
        while name:
            if name in self._rules:
                return self._rules[name]
            name = name.rpartition(".")[0]
        return self._owner.is_own(path, module)
