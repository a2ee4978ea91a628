"""Templates: what they call is pure, and every stored text is escaped by them.

Their files are read at import, where nothing waits for the disk. Compiling all of them takes a fifth of a
second, which a worker whose page nobody opens never spends: each is compiled when it is first shown.
"""

import asyncio
import json
from collections.abc import Iterator, MutableMapping
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from aiohttp import web
from jinja2 import DictLoader, Environment, StrictUndefined, Template, meta, pass_context
from jinja2.runtime import Context

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.web.page.asset import ASSETS
from faultwire_shared import __version__

_FOLDER: Final = files("faultwire_consumer.web.page") / "templates"
# A joiner holds the parts of one written sign together, in many languages and in emoji.
_KEPT: Final = "\n\t\u200c\u200d"
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))


def _read_templates(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for file in folder.iterdir():
        if file.is_dir():
            yield from _read_templates(file, f"{prefix}{file.name}/")
        elif file.name.endswith(".html"):
            yield prefix + file.name, file.read_text(encoding="utf-8")


@pass_context
def show_moment(context: Context, moment: datetime) -> str:
    """A time in the reader's zone, to the second."""
    return f"{moment.astimezone(context['reader'].zone):%Y-%m-%d %H:%M:%S %Z}"


@pass_context
def show_short_moment(context: Context, moment: datetime) -> str:
    """A time in the reader's zone, to the minute: the day where it is another than today's."""
    zone = context["reader"].zone
    local, today = moment.astimezone(zone), context["now"].astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    day = f"{local.day} {local:%b}"
    return f"{day} {local:%H:%M}" if local.year == today.year else f"{day} {local.year}"


def show_iso(moment: datetime) -> str:
    """A time for ``datetime=``, which takes three digits of a fraction at most."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show_length(moment: datetime, now: datetime) -> str:
    """The time since a moment, in the one unit that matters."""
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def show_age(moment: datetime, now: datetime) -> str:
    """The same as a statement."""
    return f"{show_length(moment, now)} ago"


def show_text(value: object) -> str:
    """Stored text without what could steer a reader's eye: control and direction characters as escapes."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT else c.encode("unicode_escape").decode() for c in text)


def cut_text(value: object, most: int) -> str:
    """The beginning of a stored text, made safe likewise; "…" where something was cut off."""
    text = show_text(str(value)[: most + 1])
    return text if len(text) <= most else f"{text[:most].rstrip()}…"


def show_json(value: object) -> str:
    """A stored value as readable JSON."""
    return show_text(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)
    )


def show_number(number: int) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: ``1 event``, ``2 events``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


class _WholePages(DictLoader):
    """Loads a template with all that it is made of: nothing is left to compile while a page is written."""

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002 - the name that Jinja calls it by
    ) -> Template:
        tree = environment.parse(self.mapping[name], name)
        for part in meta.find_referenced_templates(tree):
            assert part is not None, f"{name} names a part by a value"  # noqa: S101 - a test loads them all
            environment.get_template(part)
        code = environment.compile(tree, name, name)
        return Template.from_code(environment, code, globals or {})


_environment: Final = Environment(
    loader=_WholePages(dict(_read_templates(_FOLDER))),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals.update(
    version=__version__,
    incident_name=incident_name,
    assets={name: asset.address for name, asset in ASSETS.items()},
)
_environment.filters.update(
    moment=show_moment,
    short=show_short_moment,
    iso=show_iso,
    length_of=show_length,
    age=show_age,
    clean=show_text,
    cut=cut_text,
    readable=show_json,
    number=show_number,
    counted=counted,
)
_loaded: Final[set[str]] = set()


async def load_template(template: str) -> None:
    """Compile a template and its parts, once and in a thread: it takes up to a tenth of a second."""
    if template not in _loaded:
        await asyncio.to_thread(_environment.get_template, template)
        _loaded.add(template)


def template_names() -> list[str]:
    """Return the names of all templates, those of parts among them."""
    return _environment.list_templates()


def render(template: str, *, status: int = 200, **values: Any) -> web.Response:
    """Make a page of a template and the values that it names; `shell.show` gives what stands around them."""
    text = _environment.get_template(template).render(values)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
