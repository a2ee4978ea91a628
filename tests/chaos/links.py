"""What can be done to a link on which a proxy of ours stands."""

import asyncio
from typing import Final

from tests.tools.proxy import Proxy

HALF_BYTES: Final = 20_000
SLOW_SECONDS: Final = 0.3
CRAWL: Final = 8_000.0


async def harm(link: Proxy, kind: str, dice: float, seconds: float) -> None:
    """Do it, and heal it after a while."""
    _begin(link, kind, dice)
    await asyncio.sleep(seconds)
    link.heal()


def _begin(link: Proxy, kind: str, dice: float) -> None:
    match kind:
        case "cut":
            link.reset()
        case "refuse":
            link.accepts = False
            link.reset()
        case "silent":
            link.swallow()
        case "deaf":
            link.swallow("to_client")
        case "half_frame":
            way = link.to_server if dice < 0.5 else link.to_client
            way.cut_after = 1 + int((dice * 2 % 1) * HALF_BYTES)
        case "slow":
            link.to_server.delay_seconds = link.to_client.delay_seconds = SLOW_SECONDS
        case "throttle":
            link.to_server.bytes_per_second = link.to_client.bytes_per_second = CRAWL
        case _:
            raise ValueError(f"no fault of a link: {kind}")
