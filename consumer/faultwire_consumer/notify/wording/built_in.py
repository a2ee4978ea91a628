"""The built-in templates of mails: subject, plain text and HTML; compiled where something sends mails."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined, Template, select_autoescape

from faultwire_consumer.domain.policy.receiver.receiver import TEMPLATE_FILES
from faultwire_consumer.notify.wording.template import join_texts, prepare

FILES: Final = TEMPLATE_FILES
"""The names of templates, of the built-in ones and of those that a receiver brings."""
SUBJECT_FILE, TEXT_FILE, HTML_FILE = FILES


def built_in_source(name: str) -> str:
    """Return a built-in template as it is written."""
    return (files("faultwire_consumer.notify.wording") / "templates" / name).read_text(encoding="utf-8")


def _load() -> Environment:
    environment = prepare(
        Environment(
            loader=DictLoader({name: built_in_source(name) for name in FILES}),
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
    )
    environment.filters["join"] = join_texts
    return environment


@cache
def load_built_in() -> Mapping[str, Template]:
    """Return the compiled templates; the first call reads their files and takes a twentieth of a second."""
    environment = _load()
    return {name: environment.get_template(name) for name in FILES}


def render_built_in(name: str, values: Mapping[str, Any]) -> str:
    """Write one of `FILES` with the values of a notification; the HTML is given its ``subject`` too."""
    return load_built_in()[name].render(values)
