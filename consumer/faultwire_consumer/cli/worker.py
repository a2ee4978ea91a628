"""``faultwire worker``: take events, store them, show them."""

import asyncio
import gc
from functools import partial
from typing import Annotated

from cyclopts import App, Parameter

from faultwire_consumer.cli.event_loop import find_loop_factory
from faultwire_consumer.cli.failure import expected_failures
from faultwire_consumer.cli.option import SETTING, Setting

app = App(name="worker", help_epilogue="Example: `faultwire worker --http-port 8787`")


@app.default
def worker(
    *,
    http_host: str | None = None,
    http_port: Annotated[int | None, Parameter()] = None,
    setting: Setting = SETTING,
) -> None:
    """Run a worker until SIGTERM or Ctrl-C, then drain and end. SIGHUP has it read its rules again.

    Args:
        http_host: Where the page, the API and the intake listen.
        http_port: On which port; 0 takes any free one.
    """
    gc.disable()
    with expected_failures():
        load = partial(setting.load, http_host=http_host, http_port=http_port)
        config = load()
        from faultwire_consumer.worker.start import run  # noqa: PLC0415 - loads the whole worker

        # What is loaded lives for good: nobody has to go through it, now or with every batch's objects.
        gc.freeze()
        gc.enable()
        with asyncio.Runner(loop_factory=find_loop_factory()) as runner:
            runner.run(run(config, load))
