"""``python -m faultwire_consumer.demo.kept MODULE …``: run a module that ends when its parent does.

The parent holds the other end of this process's stdin and never writes: end of file means that the
parent is gone, even if it was killed, and then this process terminates itself.
"""

import os
import runpy
import signal
import sys
import threading


def end_with_parent() -> None:
    """Wait in a thread for the parent to end."""
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    # os.read and not sys.stdin: a buffered reader's lock would keep the interpreter from ending.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    end_with_parent()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
