"""One producer's account: the numbers it gave, those it lost, and what the dead left behind."""

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from faultwire.audit.loss import Losses
from faultwire.audit.report import Identity, build_report, with_losses
from faultwire.process.critical_section import SECTION
from faultwire.process.private_directory import prepare_directory, slug_of
from faultwire_shared.producer_report import ProducerReport

if TYPE_CHECKING:
    from faultwire.audit.ledger import Ledger


def new_producer_id() -> str:
    """Of one manager in one process."""
    return os.urandom(8).hex()


class Account:
    """Numbers events from 1, and says how far it has got.

    Numbers may be taken from any thread. ``open``, ``settle`` and ``close`` touch the disk: not for a loop.
    """

    def __init__(self, who: Identity, losses: Losses, *, path: str | None = None) -> None:
        self.depth: Callable[[], int] = _nothing
        self.who = who
        self._losses = losses
        self._path = path
        self._disk = threading.Lock()
        self._last = 0
        self._ledger: Ledger | None = None
        self._is_done = False
        self._inherited: dict[str, Ledger] = {}
        self._dead: dict[str, ProducerReport] = {}

    def next_number(self) -> int:
        """The number of one more event; where there is a ledger, a kill from now on cannot hide it."""
        with SECTION.lock:
            self._last += 1
            if self._ledger is not None:
                self._ledger.cell[0] = self._last
            return self._last

    def report(self) -> ProducerReport:
        """The current report on this producer."""
        ranges = self._losses.ranges()
        return build_report(
            self.who,
            last_sequence=self._last,
            lost=ranges.get(self.who.producer_id, ()),
            unnumbered=self._losses.unnumbered(),
            spool_depth=self.depth(),
        )

    def reports_of_dead(self) -> list[ProducerReport]:
        """Reports for producers that can no longer speak: from their ledgers, and of what was lost here."""
        ranges = self._losses.ranges()
        ranges.pop(self.who.producer_id, None)
        waiting = self.depth()
        reports = []
        for producer_id in {**self._inherited, **ranges}:
            known = self._dead.get(producer_id) or self._stranger(producer_id)
            reports.append(with_losses(known, ranges.get(producer_id, []), spool_depth=waiting))
        return reports

    def open(self) -> None:
        """Make the ledger, where the directory's file system allows it, and take over those of the dead.

        Raises:
            OSError: the directory cannot be used.
        """
        if self._path is None:
            return
        # It is loaded with the reporter, not by `import faultwire`, and never first of all in here.
        from faultwire.audit import ledger  # noqa: PLC0415 - see above

        service = slug_of(self.who.service)
        with self._disk:
            if self._ledger is None and not self._is_done:
                prepare_directory(self._path)
                self._begin(ledger.create(self._path, service, self.report()))
            for found in () if self._is_done else ledger.inherit(self._path, service):
                self._inherit(found)

    def keep(self, report: ProducerReport) -> None:
        """Write the report where a kill cannot reach it."""
        with SECTION.lock:
            if self._ledger is not None:
                self._ledger.write(report)

    def settle(self, producer_id: str) -> None:
        """Be done with a dead producer's ledger: its last word is with the broker."""
        with self._disk:
            found = self._inherited.pop(producer_id, None)
            if found is not None:
                found.close(remove=True)

    def close(self, *, said: ProducerReport | None) -> None:
        """Close the ledgers; ours goes where nothing is left to say beyond the last confirmed report."""
        with self._disk:
            self._is_done = True
            for inherited in self._inherited.values():
                inherited.close(remove=False)
            self._inherited.clear()
            with SECTION.lock:
                ledger, self._ledger = self._ledger, None
            if ledger is None:
                return
            report = self.report()
            if report == said or not (report.last_sequence or report.lost):
                ledger.close(remove=not report.spool_depth)
            else:
                ledger.write(report)
                ledger.close(remove=False)

    def leak(self) -> None:
        """In a forked child: let go of the files, or their locks would outlive the parent, whose they are."""
        ledger, self._ledger = self._ledger, None
        for each in (ledger, *self._inherited.values()):
            if each is not None:
                each.close(remove=False)

    def _begin(self, ledger: "Ledger | None") -> None:
        with SECTION.lock:
            if ledger is not None:
                ledger.cell[0] = self._last
            self._ledger = ledger

    def _inherit(self, found: "Ledger") -> None:
        report = found.read()
        if report is None or not (report.last_sequence or report.lost):
            found.close(remove=True)
            return
        self._dead[report.producer_id] = report
        self._inherited[report.producer_id] = found

    def _stranger(self, producer_id: str) -> ProducerReport:
        """A producer whose events were found in a spool, and of whom nothing else is known."""
        return build_report(replace(self.who, producer_id=producer_id), last_sequence=0)


def _nothing() -> int:
    return 0
