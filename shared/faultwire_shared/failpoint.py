"""Named places in the code where a test kills the process, as a power cut or an OOM killer would.

``FAULTWIRE_TEST_FAILPOINT=worker.committed`` kills at the first pass, ``worker.committed:7`` at the
eighth. With ``FAULTWIRE_TEST_FAILPOINT_MARKER`` in addition, only a pass with a body that contains the
marker counts. In normal runs a failpoint is one comparison.
"""

import os
import signal
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "FAULTWIRE_TEST_FAILPOINT"
MARKER_VARIABLE: Final = "FAULTWIRE_TEST_FAILPOINT_MARKER"

FAILPOINTS: Final[Mapping[str, str]] = {
    "worker.received": "A batch was received; nothing of it is decoded.",
    "worker.decoding": "One event is about to be decoded; the pass that knows its body.",
    "worker.decoded": "The whole batch is decoded and grouped; the store knows nothing.",
    "worker.registered": "New fingerprints are committed, with incidents of count 0.",
    "worker.begun": "The batch's transaction is open and empty.",
    "worker.events_recorded": "Events are inserted and counted, uncommitted.",
    "worker.transitions_applied": "Incidents and their history are written, uncommitted.",
    "worker.alerts_enqueued": "Notifications and pending digest rows are written, uncommitted.",
    "worker.dead_letters_recorded": "All rows of the batch are written; the commit comes next.",
    "worker.committing": "The store is about to be asked to commit.",
    "worker.committed": "The batch is committed; the broker knows nothing.",
    "worker.settling": "The batch's turn to be settled has come.",
    "worker.acking": "An ack was handed to the connection; it may or may not have left.",
    "worker.settled": "The batch is settled.",
    "spool.begun": "A transaction of the client's spool is open and empty.",
    "spool.written": "Events are inserted into the spool, uncommitted.",
    "spool.committed": "Events are on disk; the callers that wait for them do not know yet.",
    "spool.confirmed": "Confirmed events are deleted from the spool, uncommitted.",
    "spool.adopting": "Some events of a dead process are copied; its file still has them.",
    "spool.adopted": "All of them are copied; the file is about to go.",
    "gateway.spooling": "A transaction of the gateway's spool is open and empty; nobody is answered.",
    "gateway.spooled": "Events of requests are on the gateway's disk; nobody is answered.",
    "gateway.deleted": "Events that broker or store have are deleted from the gateway's spool.",
    "prune.raised": "The floor is raised, and committed; nothing below it is gone.",
    "prune.deleting": "Some rows of a day are deleted, and committed.",
    "prune.detached": "A day's partition is detached; its table still exists.",
    "prune.deleted": "All rows below the floor are gone; their space is not given back yet.",
    "prune.given_back": "The space is given back; that everything is cleared is not recorded yet.",
    "dispatcher.claimed": "A notification is leased, and the lease is committed; nothing is sent.",
    "dispatcher.sending": "The sender is about to be asked.",
    "dispatcher.sent": "The sender has answered; the outbox knows nothing of it.",
    "dispatcher.marked": "The outcome of the attempt is committed.",
    "copy.loaded": "A chunk of a copied database is committed, with the copy's progress.",
    "export.written": "A page of exported events is in its file; the record of progress is older.",
}
"""Every failpoint, with a sentence each."""


class _Armed:
    """The failpoint that the environment names, and the passes left until it kills."""

    def __init__(self, setting: str, marker: str) -> None:
        self.name, _, passes = setting.partition(":")
        if self.name not in FAILPOINTS:
            raise ValueError(f"{VARIABLE}: no failpoint {self.name!r}; known are {', '.join(FAILPOINTS)}")
        self._passes_left = int(passes or 0)
        self._marker = marker.encode()

    def hit(self, body: bytes) -> None:
        if self._marker not in body:
            return
        if self._passes_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._passes_left -= 1


_armed = (
    _Armed(os.environ[VARIABLE], os.environ.get(MARKER_VARIABLE, "")) if os.environ.get(VARIABLE) else None
)


def failpoint(name: str, body: bytes = b"") -> None:
    """Kill the process here if the environment says so; else do nothing."""
    if _armed is not None and _armed.name == name:
        _armed.hit(body)
