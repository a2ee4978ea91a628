"""Reports as answers: Markdown within a size that the caller may state."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.report.layout import CHARACTERS, CHARACTERS_LEAST, CHARACTERS_MOST
from faultwire_consumer.web.openapi.answer import GivenAnswer
from faultwire_consumer.web.parameter import Parameters

MARKDOWN_TYPE: Final = "text/markdown"
MARKDOWN: Final = GivenAnswer(
    content={MARKDOWN_TYPE: None}, about="The report, within the size that was asked for."
)


def characters_of(parameters: Parameters) -> int:
    """The most characters of the report, by the parameter ``characters``."""
    about = "The most characters of the report."
    return parameters.number(
        "characters", least=CHARACTERS_LEAST, most=CHARACTERS_MOST, usual=CHARACTERS, about=about
    )


def markdown_answer(report: str) -> web.Response:
    """A report (RFC 7763)."""
    return web.Response(body=report.encode(), content_type=MARKDOWN_TYPE, charset="utf-8")
