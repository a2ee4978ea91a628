"""The command line: ``faultwire <noun> <verb>``, a client of the API wherever it can be one."""

import gc
import os
import signal
import sys
from typing import Final

from faultwire_shared import __version__
from faultwire_shared.logging.standard_stream import open_standard_streams

_ENDED_BY_SIGTERM: Final = 128 + signal.SIGTERM
_ENDED_BY_SIGINT: Final = 128 + signal.SIGINT
_COLLECTING: Final = (20_000, 20, 20)
"""A batch of 500 events makes some 6,000 objects at once, and a command's modules many more: by Python's own
700 they are gone through again and again, and none is found that could go."""


def main() -> None:
    """Run the command that the arguments name, and exit as it says."""
    gc.set_threshold(*_COLLECTING)
    _be_ended_by_signals()
    open_standard_streams()
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"{__version__}\n")
        return
    if sys.argv[1:] in (["health", "-q"], ["health", "--quiet"]):
        from faultwire_consumer.cli.ready import check_ready  # noqa: PLC0415 - for this command alone

        sys.exit(check_ready())
    try:
        from faultwire_consumer.cli.application import run  # noqa: PLC0415 - the extra may not be installed
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("faultwire"):
            raise
        sys.stderr.write(
            f"faultwire: the command needs the worker's packages ({error.name} is missing); "
            "run: pip install 'faultwire[consumer]'\n"
        )
        sys.exit(1)
    sys.exit(run(sys.argv[1:]))


def _be_ended_by_signals() -> None:
    """Give process 1, as a container's only one is, what all others have: SIGTERM ends it.

    A worker's own handlers take over when its loop runs; until then a stop would be lost, a hangup would
    end it, and Ctrl-C would show where it was.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(_ENDED_BY_SIGTERM))
    if sys.argv[1:2] in (["worker"], ["gateway"]):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, lambda *_: os._exit(_ENDED_BY_SIGINT))


if __name__ == "__main__":
    main()
