"""``faultwire rules``: check, show, test."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import expected_failures
from faultwire_consumer.cli.option import LOCAL_OUTPUT, OUTPUT, LocalOutput, Output
from faultwire_consumer.cli.output import print_document, say, styled
from faultwire_consumer.cli.rehearsal import rehearse_file
from faultwire_consumer.domain.policy.advice import Advice, advice_on
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.notify.policy_file import PolicyFileError, policy_of, read_text
from faultwire_shared.clock import utc_now
from faultwire_shared.failure import ConfigurationError

app = App(name="rules")


@app.command
def check(file: Path, /, *, output: LocalOutput = LOCAL_OUTPUT) -> None:
    """Read a policy's file and say whether a worker would take it; exit code 78 if not.

    All that is wrong is told, a line for each thing. What a worker takes and may not be meant is a warning: a
    receiver that no rule tells anything, a rule that nothing can match, two rules that tell the same.

    Example: `faultwire rules check rules.toml`

    Args:
        file: The TOML file.
    """
    with expected_failures():
        policy, advice = _read(file)
        from faultwire_consumer.notify.senders.build import senders_of  # noqa: PLC0415 - loads aiohttp
        from faultwire_consumer.notify.senders.worded import template_faults  # noqa: PLC0415 - loads jinja2

        senders = senders_of(policy, clock=utc_now)  # reads their secrets and templates, as a worker does
        faults = template_faults(senders)
        if faults:
            raise ConfigurationError("; ".join(f"receivers.{name}: {why}" for name, why in faults.items()))
    if not output.quiet:
        say(f"{file} is fine: {len(policy.rules)} rules, {len(policy.receivers)} receivers")
        for one in advice:
            say(f"warning: {file}:{one.line}: {one.text}")


def _read(file: Path) -> tuple[Policy, list[Advice]]:
    """Read a policy; where several things are wrong, those before the last are told here."""
    text = read_text(file)
    try:
        policy = policy_of(text, file)
    except PolicyFileError as error:
        for line in error.lines[:-1]:
            say(f"faultwire: {line}")
        raise PolicyFileError(error.lines[-1]) from None
    return policy, advice_on(policy, text)


@app.command
def show(*, output: Output = OUTPUT) -> None:
    """Show the policy that the worker uses: its rules, and the receivers without their addresses.

    Example: `faultwire rules show`
    """
    print_document(ApiClient(output).get("api", "v1", "rules"), output, show_policy)


@app.command(name="test")
def rehearse(
    file: Path,
    /,
    *,
    since: str = "7d",
    against: Annotated[str | None, Parameter(show_default=False)] = None,
    show: Annotated[int, Parameter(validator=Number(gte=0, lte=1000))] = 20,
    output: Output = OUTPUT,
) -> None:
    """Play the stored history, operators' acts included, to a file's rules: what would they have sent?

    Nothing is sent or changed. Counts come first, then each notification with its rule and reason, then
    what could not be seen, with figures.

    Example: `faultwire rules test rules.toml --since 7d --against current`

    Args:
        file: The TOML file; its receivers' addresses are not used.
        since: How far back, as 24h or 7d; 35 days at most.
        against: current (what the worker uses), shipped, or another file: what would be new and missing.
        show: How many notifications to print of each list.
    """
    rehearse_file(file, since=since, against=against, shown=show, output=output)


def show_policy(policy: dict[str, Any], console: Console) -> None:
    """Print the API's answer for people."""
    if policy["wrong"]:
        said = (
            f"the file cannot be used since {policy['wrong_since']}, these rules are older: {policy['wrong']}"
        )
        console.print(styled(said, "bold red"), soft_wrap=True)
    for rule in policy["rules"]:
        console.print(styled(rule["name"]))
        where = _where_of(rule["where"])
        rows = (
            ("where", where),
            ("on", ", ".join(rule["on"])),
            ("counts", rule["counts"]),
            ("send", rule["send"]),
            ("remind every", rule["remind_every"]),
            ("owner first", "yes, and these else" if rule["owner_first"] else ""),
            ("receivers", ", ".join(rule["receivers"])),
            ("escalate", _escalation_of(rule)),
            ("unless", _unless_of(rule["unless"])),
        )
        for label, value in rows:
            if value:
                console.print(styled(f"  {label:13}", "dim"), styled(str(value)), soft_wrap=True)
    for receiver in policy["receivers"]:
        console.print(styled(f"receiver {receiver['name']}: {_spell_receiver(receiver)}"), soft_wrap=True)
        own = (
            ("quiet", "; ".join(receiver["quiet_hours"])),
            ("digests", receiver["digest"]),
            ("of", ", ".join(receiver["owners"])),
        )
        for label, value in own:
            if value:
                console.print(styled(f"  {label:13}", "dim"), styled(value), soft_wrap=True)
    for one in policy["inhibits"]:
        same = f"; of the same {', '.join(one['same'])}" if one["same"] else ""
        muted = _where_of(one["mutes"]) or "everything"
        console.print(styled(f"inhibit {one['name']}: {_unless_of(one)} mutes {muted}{same}"), soft_wrap=True)


def _spell_receiver(receiver: dict[str, Any]) -> str:
    signed = ", signed" if receiver["signed"] else ""
    hears = f", hears when it is {' and '.join(receiver['hears'])}" if receiver["hears"] else ""
    own = ", templates of its own" if receiver.get("own_templates") else ""
    fault = receiver.get("template_fault")
    return f"{receiver['type']}{signed}{hears}{own}" + (
        f", the built-in ones stand in: {fault}" if fault else ""
    )


def _where_of(where: dict[str, Any]) -> str:
    return "; ".join(f"{name} {_spell(values)}" for name, values in where.items())


def _escalation_of(rule: dict[str, Any]) -> str:
    if rule["escalate_after"] is None:
        return ""
    return f"to {', '.join(rule['escalate_to'])} after {rule['escalate_after']}"


def _unless_of(unless: dict[str, Any] | None) -> str:
    if unless is None:
        return ""
    critical = ", critical too" if unless["also_critical"] else ""
    return f"{_where_of(unless['when'])} (open, seen within {unless['seen_within']}{critical})"


def _spell(values: Any) -> str:
    if isinstance(values, dict):
        return ", ".join(f"{name}={'|'.join(like)}" for name, like in values.items())
    return "|".join(values)
