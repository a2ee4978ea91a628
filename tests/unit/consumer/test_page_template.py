"""The page's templates: compiled when one is first shown, with all that it is made of."""

import asyncio

from jinja2 import Environment

from faultwire_consumer.web.page import template


async def test_every_template_compiles_and_names_its_parts_by_their_names() -> None:
    for name in template.template_names():
        await template.load_template(name)


async def test_a_loaded_page_has_nothing_left_to_compile_while_it_is_written() -> None:
    await template.load_template("status/page.html")
    environment: Environment = template._environment
    kept = {name for _, name in environment.cache or {}}
    assert {"status/page.html", "layout.html"} <= kept


async def test_pages_that_are_first_shown_at_once_are_whole() -> None:
    await asyncio.gather(*(template.load_template("layout.html") for _ in range(4)))
