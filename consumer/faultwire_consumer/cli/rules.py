"""``faultwire rules``: check."""

from pathlib import Path

from cyclopts import App

from faultwire_consumer.cli.failure import expected_failures
from faultwire_consumer.cli.option import OUTPUT, Output
from faultwire_consumer.cli.output import say

app = App(name="rules", help="See who is told of what and when; check a policy before a worker uses it.")


@app.command
def check(file: Path, /, *, output: Output = OUTPUT) -> None:
    """Read a policy's file and say whether a worker would take it; exit code 78 where not.

    Args:
        file: The TOML file.
    """
    from faultwire_consumer.notify.policy_file import read_policy  # noqa: PLC0415 - for this command alone

    with expected_failures():
        policy = read_policy(file)
    if not output.quiet:
        say(f"{file} is fine: {len(policy.rules)} rules, {len(policy.receivers)} receivers")
