"""What the clients say of every call and answer, kept by the one who started them: a book that is foreign to
faultwire.

A client writes a line before each call and after it, into a pipe; what a kill cuts off is at most one line.

    call PID GROUP                 an error is about to be handed over
    told PID GROUP ID STATE        the answer to it
    kept PID ID                    the answer's state was seen to be confirmed or spooled
    refused PID ID REASON          it was seen to be refused
    poison PID ID                  what is sent under this id cannot be stored
    raised PID TEXT                the call raised, which it never may
    end PID FIGURES                the client has closed; FIGURES are its own, as JSON
"""

import json
from collections import Counter
from typing import Final

from msgspec import Struct, field

ACCEPTED: Final = ("confirmed", "spooled")


class Figures(Struct, frozen=True, kw_only=True):
    """A manager's own figures after it was closed."""

    handled: int
    confirmed: int
    spooled: int
    adopted: int
    collapsed: int
    buffered: int
    lost: dict[str, int]

    @property
    def difference(self) -> int:
        """What came in, less what is accounted for."""
        out = self.confirmed + self.spooled + self.collapsed + self.buffered + sum(self.lost.values())
        return self.handled + self.adopted - out


class Life(Struct, kw_only=True):
    """One process's life, by its lines and its end."""

    client: str
    service: str
    calls: Counter[str] = field(default_factory=Counter)
    """By group."""
    answers: Counter[str] = field(default_factory=Counter)
    """By group."""
    told: Counter[str] = field(default_factory=Counter)
    """By id: a burst's errors share one."""
    group_of: dict[str, str] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    poison: set[str] = field(default_factory=set)
    """Ids of what has to become a dead letter."""
    refused: dict[str, str] = field(default_factory=dict)
    raised: list[str] = field(default_factory=list)
    figures: Figures | None = None
    had_no_disk: bool = False
    """Its disk took nothing for a while, so that a death by SIGTERM may lose what was only in memory."""
    is_torn: bool = True
    """It was killed, or forked by one that was: what it had in memory is gone."""

    @property
    def in_flight(self) -> Counter[str]:
        """Calls that were never answered, by group."""
        return self.calls - self.answers


class Book(Struct):
    """All processes of a run, by their ids."""

    lives: dict[int, Life] = field(default_factory=dict)

    def read(self, line: str, *, client: str, service: str) -> None:
        """Take in one whole line of a client's."""
        word, pid, *rest = line.split(" ", 4)
        life = self.lives.setdefault(int(pid), Life(client=client, service=service))
        match word, rest:
            case "call", [group]:
                life.calls[group] += 1
            case "told", [group, event_id, state]:
                _note_answer(life, group, event_id, state)
            case "kept", [event_id]:
                life.accepted.add(event_id)
            case "poison", [event_id]:
                life.poison.add(event_id)
            case "refused", [event_id, reason]:
                life.refused[event_id] = reason
            case "raised", _:
                life.raised.append(" ".join(rest))
            case "end", _:
                life.figures = Figures(**json.loads(" ".join(rest)))
                life.is_torn = False
            case _:
                raise ValueError(f"no line of a client's: {line!r}")

    def note_no_disk(self, pid: int, *, client: str, service: str) -> None:
        """The process's disk takes nothing from now on."""
        self.lives.setdefault(pid, Life(client=client, service=service)).had_no_disk = True

    def note_end(self, pid: int, code: int) -> None:
        """A process that was started here has ended; SIGTERM's death is no tear."""
        if pid in self.lives:
            self.lives[pid].is_torn = self.lives[pid].figures is None and code != -15

    @property
    def told(self) -> int:
        """Answers in all."""
        return sum(sum(life.answers.values()) for life in self.lives.values())


def _note_answer(life: Life, group: str, event_id: str, state: str) -> None:
    life.answers[group] += 1
    life.told[event_id] += 1
    life.group_of[event_id] = group
    if state in ACCEPTED:
        life.accepted.add(event_id)
