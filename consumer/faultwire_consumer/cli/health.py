"""``faultwire health``: is the worker ready? For people, and for a container's health check."""

from typing import Any, Literal

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import FAILED
from faultwire_consumer.cli.option import OUTPUT, Output
from faultwire_consumer.cli.output import print_document, styled
from faultwire_consumer.cli.ready import check_ready

_STYLES = {"pass": "", "warn": "yellow", "fail": "red"}

app = App(name="health", help_epilogue="Example: `faultwire health --probe live`")


@app.default
def health(*, probe: Literal["ready", "live", "startup"] = "ready", output: Output = OUTPUT) -> int:
    """Ask whether the worker is ready: 0 yes, 1 no.

    Args:
        probe: Ask whether it is ready, alive, or has come up.
    """
    path = {"ready": "readyz", "live": "livez", "startup": "startupz"}[probe]
    if output.quiet and not (output.json or output.jsonl):
        return check_ready(f"/{path}", output.url)
    status, report = ApiClient(output).ask("GET", (path,), {}, accepted=(503,))
    print_document(report, output, _show)
    return 0 if status == 200 else FAILED


def _show(report: dict[str, Any], console: Console) -> None:
    healthy = report["status"] == "healthy"
    console.print(styled(report["status"], "green" if healthy else "bold red"))
    for check in report["checks"]:
        passed = check["status"] == "pass"
        detail = f"{check['response_time'] * 1000:.1f} ms" if passed else check.get("error", "")
        console.print(
            styled(f"  {check['status']}  {check['name']}  {detail}", _STYLES[check["status"]]),
            soft_wrap=True,
        )
