"""The tools that act: one for each verb that is declared and those of silences, for a token that may act."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from faultwire_consumer.agents.door import Door
from faultwire_consumer.agents.rules import TRYING_RULES
from faultwire_consumer.agents.silences import SILENCING
from faultwire_consumer.agents.tool import Tool
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTS, SENTENCES
from faultwire_consumer.domain.report.quoting import WARNING, span

INCIDENTS_MAX: Final = 50
_IDS: Final = Meta(description="Incidents, as in INC-12.", min_length=1, max_length=INCIDENTS_MAX)


class ActingArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments that the tool of every verb takes."""

    ids: Annotated[list[Annotated[str, Meta(max_length=40)]], _IDS]
    note: Annotated[str, Meta(description="Words for the history: why.", max_length=4000)] = ""
    dry_run: Annotated[bool, Meta(description="Change nothing; say what would become of each.")] = False


def _arguments_of(verb: Verb) -> type[Struct]:
    """Build the type of a tool's arguments: which incidents, and what the verb is told besides."""
    own: list[Any] = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(ARGUMENTS[verb])
    ]
    return msgspec.defstruct(
        f"{verb.title()}Incidents",
        own,
        bases=(ActingArguments,),
        namespace={"__doc__": f"The arguments of ``{verb}_incidents``."},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def _tool_of(verb: Verb) -> Tool:
    async def run(door: Door, asked: Any) -> str:
        given = msgspec.to_builtins(asked)
        body: Mapping[str, Any] = {
            "verb": verb.value,
            "arguments": {name: given[name] for name in ARGUMENTS[verb].__struct_fields__},
            **{name: given[name] for name in ActingArguments.__struct_fields__},
        }
        document = await door.act("incidents", "bulk", body=body)
        lines = [
            f"- {span(each['id'], 40)} {each['outcome']}: {span(each['detail'], 500)}"
            for each in document["incidents"]
        ]
        return "\n".join((WARNING, "", *lines, ""))

    return Tool(
        name=f"{verb}_incidents",
        title=f"{verb.title()} incidents",
        description=SENTENCES[verb],
        arguments=_arguments_of(verb),
        run=run,
        acts=True,
    )


ACTING: Final = (*(_tool_of(verb) for verb in Verb), *SILENCING, TRYING_RULES)
"""Every tool that takes the scope ``act``: all change something, but for the last."""
