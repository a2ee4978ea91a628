"""Runs one Python block as a script, with ``await`` allowed at its top, as in ``python -m asyncio``."""

import ast
import asyncio
import inspect
import signal
import sys
from pathlib import Path

# Tests that run in a shell's background start with Ctrl-C ignored, and the block would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
path = Path(sys.argv[1])
namespace = {"__name__": "__main__", "__file__": str(path)}
code = compile(path.read_text(), str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
if code.co_flags & inspect.CO_COROUTINE:
    asyncio.run(eval(code, namespace))  # noqa: S307 - our own document
else:
    exec(code, namespace)  # noqa: S102 - the same
