"""``faultwire rules``: check, show."""

from pathlib import Path
from typing import Any

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import expected_failures
from faultwire_consumer.cli.option import LOCAL_OUTPUT, OUTPUT, LocalOutput, Output
from faultwire_consumer.cli.output import print_document, say, styled
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_shared.clock import utc_now
from faultwire_shared.failure import ConfigurationError

app = App(name="rules")


@app.command
def check(file: Path, /, *, output: LocalOutput = LOCAL_OUTPUT) -> None:
    """Read a policy's file and say whether a worker would take it; exit code 78 if not.

    Example: `faultwire rules check rules.toml`

    Args:
        file: The TOML file.
    """
    with expected_failures():
        policy = read_policy(file)
        from faultwire_consumer.notify.senders.build import senders_of  # noqa: PLC0415 - loads aiohttp
        from faultwire_consumer.notify.senders.worded import template_faults  # noqa: PLC0415 - loads jinja2

        senders = senders_of(policy, clock=utc_now)  # reads their secrets and templates, as a worker does
        faults = template_faults(senders)
        if faults:
            raise ConfigurationError("; ".join(f"receivers.{name}: {why}" for name, why in faults.items()))
    if not output.quiet:
        say(f"{file} is fine: {len(policy.rules)} rules, {len(policy.receivers)} receivers")


@app.command
def show(*, output: Output = OUTPUT) -> None:
    """Show the policy that the worker uses: its rules, and the receivers without their addresses.

    Example: `faultwire rules show`
    """
    print_document(ApiClient(output).get("api", "v1", "rules"), output, _show)


def _show(policy: dict[str, Any], console: Console) -> None:
    for rule in policy["rules"]:
        console.print(styled(rule["name"]))
        where = "; ".join(f"{name} {_spell(values)}" for name, values in rule["where"].items())
        rows = (
            ("where", where),
            ("on", ", ".join(rule["on"])),
            ("counts", rule["counts"]),
            ("send", rule["send"]),
            ("remind every", rule["remind_every"]),
            ("receivers", ", ".join(rule["receivers"])),
        )
        for label, value in rows:
            if value:
                console.print(styled(f"  {label:13}", "dim"), styled(str(value)), soft_wrap=True)
    for receiver in policy["receivers"]:
        console.print(styled(f"receiver {receiver['name']}: {_spell_receiver(receiver)}"), soft_wrap=True)


def _spell_receiver(receiver: dict[str, Any]) -> str:
    signed = ", signed" if receiver["signed"] else ""
    own = ", templates of its own" if receiver.get("own_templates") else ""
    fault = receiver.get("template_fault")
    return f"{receiver['type']}{signed}{own}" + (f", the built-in ones stand in: {fault}" if fault else "")


def _spell(values: Any) -> str:
    if isinstance(values, dict):
        return ", ".join(f"{name}={'|'.join(like)}" for name, like in values.items())
    return "|".join(values)
