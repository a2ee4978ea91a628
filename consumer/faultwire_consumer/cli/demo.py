"""``faultwire demo``: a worker, and next to it a small shop whose handlers really fail."""

import asyncio

from cyclopts import App

from faultwire_consumer.cli.failure import CONFIGURATION, CommandError, expected_failures
from faultwire_consumer.cli.option import SETTING, Setting
from faultwire_consumer.cli.topology import apply_topology

app = App(name="demo", help_epilogue="Example: `faultwire demo --http-port 8787`")


@app.default
def demo(*, http_port: int | None = None, setting: Setting = SETTING) -> int:
    """Bring everything up, print the page's address and the first incidents; Ctrl-C ends it all.

    Args:
        http_port: The page's port.
    """
    with expected_failures():
        config = setting.load(http_port=http_port)
        if not (config.is_open and config.loopback_only):
            raise CommandError(
                "the demo is for this machine alone, and nobody signs in: leave http_host and access out",
                CONFIGURATION,
            )
        from faultwire_consumer.demo.stage import Scene, StageError, run  # noqa: PLC0415 - loads aiohttp
        from faultwire_consumer.store.migrations import migrate  # noqa: PLC0415 - loads Alembic

        asyncio.run(migrate.upgrade(config.database_url))
        if config.broker_url is not None:
            asyncio.run(apply_topology(config.broker_url))
        try:
            scene = Scene(**{name: getattr(config, name) for name in Scene.__struct_fields__})
            return asyncio.run(run(scene))
        except StageError as error:
            raise CommandError(str(error), error.exit_code) from None
