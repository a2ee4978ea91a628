"""A service with one bug in a tight loop, in a process of its own; what it was told and felt is JSON.

``python storming.py URL SPOOL_PATH ERRORS``
"""

import asyncio
import json
import sys
from pathlib import Path

from faultwire import ErrorManager


def resident_mib() -> float:
    """MiB of this process, by proc_pid_status(5)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def charge(order: int) -> None:
    raise LookupError(f"order {order} has no price")


def storm(errors: ErrorManager, count: int) -> set[str]:
    """Every id that a caller was told."""
    ids = set()
    for order in range(count):
        try:
            charge(order)
        except LookupError as error:
            ids.add(errors.handle_error_nowait(error, context={"order": order}).error_id)
    return ids


async def main(url: str, spool_path: str, count: int) -> None:
    async with ErrorManager(service="stormy", broker_url=url, spool_path=spool_path) as errors:
        warm = await errors.handle_error(ValueError("warm"), durability="spooled")
        before = resident_mib()
        ids = await asyncio.to_thread(storm, errors, count)
        grown = resident_mib() - before
        await errors.flush(1.0 if url.endswith(":1") else 60.0)
        stats = errors.stats()
    found = {
        "ids": [warm.error_id, *ids],
        "grown_mib": grown,
        "handled": stats.handled,
        "collapsed": stats.collapsed,
    }
    print(json.dumps(found | {"lost": dict(stats.lost), "spooled": stats.spooled}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
