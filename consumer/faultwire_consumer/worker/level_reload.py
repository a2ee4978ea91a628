"""A gateway's log level and files of TLS, read again when SIGHUP asks for it: nothing else can change."""

import asyncio
import logging

from faultwire_consumer.worker.reload import Asking
from faultwire_consumer.worker.tls_reload import TlsReload
from faultwire_shared.failure import ConfigurationError
from faultwire_shared.logging.logs import get_logger

log = get_logger("faultwire.gateway")


class LevelReload:
    """Puts the level that the settings name now into use, and the certificate that lies in its file."""

    def __init__(self, asking: Asking, tls: TlsReload) -> None:
        self._asking = asking
        self._tls = tls

    async def run(self) -> None:
        """Read again whenever it is asked for, until cancelled."""
        while True:
            await self._asking.asked.wait()
            self._asking.asked.clear()
            with self._asking.around():
                await self._read_again()

    async def _read_again(self) -> None:
        try:
            config = await asyncio.to_thread(self._asking.read)  # settings are files
            shown = await asyncio.to_thread(self._tls.read, config)
        except ConfigurationError as error:
            log.warning("gateway.not_reloaded", why=str(error))
            return
        self._tls.use(shown)
        logging.getLogger().setLevel(config.log_level)
        log.info("gateway.reloaded", log_level=config.log_level)
