"""``faultwire worker``: take events, store them, show them."""

from typing import Annotated

from cyclopts import App, Parameter

from faultwire_consumer.cli.failure import expected_failures
from faultwire_consumer.cli.option import SETTING, Setting

app = App(name="worker", help="Run a worker: receivers, store, API and page.")


@app.default
def worker(
    *,
    http_host: str | None = None,
    http_port: Annotated[int | None, Parameter()] = None,
    setting: Setting = SETTING,
) -> None:
    """Run a worker until SIGTERM or Ctrl-C, then drain and end.

    Args:
        http_host: Where the page, the API and the intake listen.
        http_port: On which port; 0 takes any free one.
    """
    import asyncio  # noqa: PLC0415 - with what follows, too slow for every command

    with expected_failures():
        config = setting.load(http_host=http_host, http_port=http_port)
        from faultwire_consumer.app import run  # noqa: PLC0415

        asyncio.run(run(config))
