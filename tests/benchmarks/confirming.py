"""A transport that confirms and keeps nothing: what is measured with it is the client alone."""

import asyncio


class Confirming:
    """The client's ``Transport``."""

    async def open(self) -> None:
        return

    async def publish(self, message: object) -> None:
        return

    async def watch(self) -> None:
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        return
