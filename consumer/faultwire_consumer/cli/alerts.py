"""``faultwire alerts``: list, trace, resend, send-test."""

from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import FAILED
from faultwire_consumer.cli.follow import Followed, Lines, Seconds, follow
from faultwire_consumer.cli.option import (
    OUTPUT,
    Actor,
    AlertId,
    Limit,
    OfIncident,
    Output,
    Severities,
    Texts,
)
from faultwire_consumer.cli.output import print_document, print_list, print_value, say, styled

app = App(name="alerts")

OfSilence = Annotated[int | None, Parameter(show_default=False)]
OfCarrier = Annotated[int | None, Parameter(show_default=False)]

_API = ("api", "v1", "alerts")
_COLUMNS = (
    "id",
    "state",
    "state_reason",
    "severity",
    "rule",
    "reason",
    "incident_id",
    "receiver",
    "attempts",
    "created_at",
    "due_at",
)
_SPARE = ("state_reason", "attempts", "rule", "severity")


@app.command(name="list")
def list_(
    *,
    state: Texts = (),
    kind: Texts = (),
    receiver: Texts = (),
    rule: Texts = (),
    severity: Severities = (),
    incident: OfIncident = None,
    silence: OfSilence = None,
    carrier: OfCarrier = None,
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List notifications, the newest first.

    Example: `faultwire alerts list --state waiting --incident INC-12`

    Args:
        state: waiting, carried, sent, stopped or given_up; may be repeated.
        kind: incident, summary or digest; may be repeated.
        receiver: For this receiver; may be repeated.
        rule: Of this rule; may be repeated.
        severity: Of this severity; may be repeated.
        incident: Of this incident, as in INC-12.
        silence: Stopped or held back by this silence.
        carrier: Told in this notification, a summary.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = ApiClient(output).get(
        *_API,
        state=state,
        kind=kind,
        receiver=receiver,
        rule=rule,
        severity=severity,
        incident=incident,
        silence=silence,
        carrier=carrier,
        limit=limit,
        cursor=cursor,
    )
    if not (output.json or output.jsonl):
        document = document | {"alerts": [_row(one) for one in document["alerts"]]}
    print_list(document, "alerts", _COLUMNS, output, spare=_SPARE)


@app.command
def tail(
    *,
    state: Texts = (),
    receiver: Texts = (),
    rule: Texts = (),
    severity: Severities = (),
    incident: OfIncident = None,
    every: Seconds = 2.0,
    lines: Lines = 10,
    output: Output = OUTPUT,
) -> None:
    """Print a line for each notification that is made or changes its state, until Ctrl-C.

    Example: `faultwire alerts tail --receiver pager`

    Args:
        state: waiting, carried, sent, stopped or given_up; may be repeated.
        receiver: For this receiver; may be repeated.
        rule: Of this rule; may be repeated.
        severity: Of this severity; may be repeated.
        incident: Of this incident, as in INC-12.
        every: Seconds between two looks.
        lines: How many of the newest to begin with.
    """
    wanted = {
        "state": state,
        "receiver": receiver,
        "rule": rule,
        "severity": severity,
        "incident": incident,
    }
    followed = Followed(
        path=_API,
        key="alerts",
        parameters=wanted,
        identity=("id", "state"),
        columns={
            "created_at": 8,
            "id": 5,
            "state": 8,
            "severity": 8,
            "receiver": 10,
            "incident_id": 7,
            "reason": 0,
        },
    )
    follow(ApiClient(output), followed, output, every=every, lines=lines)


@app.command
def trace(alert_id: AlertId, /, *, output: Output = OUTPUT) -> None:
    """Show what happened to one notification: every stage with its reason, and every attempt.

    Example: `faultwire alerts trace 17`
    """
    print_document(ApiClient(output).get(*_API, alert_id), output, _show)


@app.command
def resend(alert_id: AlertId, /, *, note: str = "", actor: Actor = None, output: Output = OUTPUT) -> None:
    """Have a notification that was sent, given up or stopped sent again, under the same key.

    Example: `faultwire alerts resend 17 --note 'the pager is back'`

    Args:
        note: Why, for its trace.
        actor: Your name for the trace, where nobody has to sign in; else that of the user who runs this.
    """
    body = {"note": note, "actor": actor or user_name()}
    alert = ApiClient(output).post(*_API, alert_id, "resend", body=body)
    if output.json or output.jsonl:
        print_document(alert, output, _show)
    elif not output.quiet:
        say(f"alert {alert['id']} to {alert['receiver']} is {alert['state']}, due now")


@app.command
def send_test(receiver: str, /, *, actor: Actor = None, output: Output = OUTPUT) -> int:
    """Send a marked test through a receiver's own sender, and say what became of it.

    The exit code is 1 where it did not arrive.

    Example: `faultwire alerts send-test pager`

    Args:
        receiver: Its name in the policy that the worker uses.
        actor: Your name for the test, where nobody has to sign in; else that of the user who runs this.
    """
    body = {"actor": actor or user_name()}
    result = ApiClient(output).post("api", "v1", "receivers", receiver, "test", body=body)
    if output.json or output.jsonl:
        print_document(result, output, _show)
    elif not output.quiet:
        say(_tested(result))
    return 0 if result["outcome"] == "sent" else FAILED


def _tested(result: dict[str, Any]) -> str:
    if result["outcome"] == "sent":
        return f"{result['receiver']} took the test in {result['seconds']:g} s"
    why = ", ".join(text for text in (result["reason"], result["detail"]) if text)
    return f"the test did not reach {result['receiver']}: {why}"


def _row(alert: dict[str, Any]) -> dict[str, Any]:
    """The row with a due time only where that is still to come."""
    return alert if alert["state"] == "waiting" else alert | {"due_at": None}


def _show(alert: dict[str, Any], console: Console) -> None:
    for name, value in alert.items():
        if name not in ("stages", "tries", "told"):
            print_value(console, name, value, width=16)
    _section(console, "stages", [_stage(one) for one in alert["stages"]])
    _section(console, "tries", [_try(one) for one in alert["tries"]])
    _section(console, "tells of", [_told(one) for one in alert["told"]])


def _section(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        console.print(styled(title, "dim"))
    for line in lines:
        console.print(styled(f"  {line}"), soft_wrap=True)


def _stage(one: dict[str, Any]) -> str:
    detail = f": {one['detail']}" if one["detail"] else ""
    return f"{one['at']}  {one['stage']:15} {one['decision']}, {one['reason']}{detail}"


def _try(one: dict[str, Any]) -> str:
    outcome = one["outcome"] or "no answer yet; it runs, or its worker died"
    why = ", ".join(text for text in (one["reason"], one["detail"]) if text)
    return f"{one['started_at']}  {one['number']}. {outcome}{': ' if why else ''}{why}"


def _told(one: dict[str, Any]) -> str:
    events = "" if one["events"] is None else f", {one['events']} events"
    alert = "" if one["alert_id"] is None else f" (alert {one['alert_id']})"
    return f"{one['incident_id']}  {one['reason']}{events}{alert}"
