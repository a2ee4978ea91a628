"""``faultwire gateway``: take what foreign SDKs send, and pass it to the broker."""

import asyncio
from functools import partial
from typing import Annotated

from cyclopts import App, Parameter

from faultwire_consumer.cli.event_loop import find_loop_factory
from faultwire_consumer.cli.failure import expected_failures
from faultwire_consumer.cli.option import SETTING, Setting

app = App(name="gateway", help_epilogue="Example: `faultwire gateway --http-host 0.0.0.0 --http-port 8788`")


@app.default
def gateway(
    *,
    http_host: str | None = None,
    http_port: Annotated[int | None, Parameter()] = None,
    setting: Setting = SETTING,
) -> None:
    """Run a gateway until SIGTERM or Ctrl-C: SDKs of Sentry and OpenTelemetry in, the broker out.

    Every worker has one too. Alone it goes on while workers are upgraded, and several stand behind a
    balancer. It needs a broker, the workers' PostgreSQL for its keys, and a directory that outlives it
    (gateway_spool_path) for what is answered while the broker is away.

    Args:
        http_host: Where the gateway listens.
        http_port: On which port; 0 takes any free one.
    """
    with expected_failures():
        load = partial(setting.load, http_host=http_host, http_port=http_port)
        config = load()
        from faultwire_consumer.worker.gateway_process import run_gateway  # noqa: PLC0415 - loads a server

        with asyncio.Runner(loop_factory=find_loop_factory()) as runner:
            runner.run(run_gateway(config, load))
