"""``faultwire doctor``: what would keep a worker here from running well, and what mends it."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.doctor_broker import examine_broker
from faultwire_consumer.cli.doctor_database import examine_store
from faultwire_consumer.cli.doctor_links import examine_heartbeat, examine_links
from faultwire_consumer.cli.doctor_machine import examine_address, examine_disks, examine_rules, examine_spool
from faultwire_consumer.cli.failure import CONFIGURATION, FAILED
from faultwire_consumer.cli.fault import Examined, Fault, FaultCode
from faultwire_consumer.cli.option import SETTING, Flag, LocalOutput, Setting
from faultwire_consumer.cli.output import print_document, styled
from faultwire_shared.failure import ConfigurationError

if TYPE_CHECKING:
    from faultwire_consumer.config import WorkerConfig

_SHOW: Final = "see where each value comes from by `faultwire config show`"

app = App(name="doctor", help_epilogue="Example: `faultwire doctor --config faultwire.toml`")


@app.default
def doctor(*, spool_path: Path | None = None, json: Flag = False, setting: Setting = SETTING) -> int:
    """Look for what would keep a worker here from running well; change nothing.

    Exit code 0 where all is well, 1 where a fault was found, 78 where the configuration cannot be read.

    Args:
        spool_path: A spool's directory, or one that holds several; else FAULTWIRE_SPOOL_PATH or the user's.
        json: Print one JSON document.
    """
    try:
        config = setting.load()
    except ConfigurationError as error:
        fault = Fault(FaultCode.CONFIG_UNUSABLE, str(error), _SHOW)
        found, code = [Examined("configuration", "cannot be used", (fault,))], CONFIGURATION
    else:
        found = list(_examine(config, spool_path))
        code = FAILED if any(one.faults for one in found) else 0
    document = {"healthy": code == 0, "examined": msgspec.to_builtins(found)}
    print_document(document, LocalOutput(json=json), partial(_show, is_quiet=setting.quiet))
    return code


def _examine(config: "WorkerConfig", spool_path: Path | None) -> Iterator[Examined]:
    address = examine_address(config)
    yield from asyncio.run(_examine_servers(config, is_running=address.is_ours))
    yield examine_rules(config)
    yield examine_links(config)
    yield examine_heartbeat(config)
    yield address.examined
    yield examine_spool(spool_path)
    yield examine_disks(config, spool_path)


async def _examine_servers(config: "WorkerConfig", *, is_running: bool) -> Sequence[Examined]:
    return await asyncio.gather(examine_store(config, is_running=is_running), examine_broker(config))


def _show(document: dict[str, Any], console: Console, *, is_quiet: bool) -> None:
    for one in document["examined"]:
        if not one["faults"] and not is_quiet:
            console.print(styled("ok   ", "green"), styled(f"{one['what']}: {one['told']}"), soft_wrap=True)
        for fault in one["faults"]:
            head = styled("FAULT", "bold red")
            console.print(head, styled(f"{one['what']}: {fault['code']}", "bold"), soft_wrap=True)
            console.print(styled(f"      {fault['cause']}"), soft_wrap=True)
            console.print(styled(f"      mend: {fault['mend']}"), soft_wrap=True)
