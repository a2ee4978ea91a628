"""Names, files and texts of other languages, without what engines, compilers and builds put into them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.grouping.foreign.generated import LANGUAGES, is_glue, plain_call
from faultwire_consumer.domain.grouping.foreign.javascript_file import plain_file
from faultwire_consumer.domain.grouping.foreign.javascript_name import (
    ANONYMOUS,
    is_minified,
    is_telling,
    plain_name,
)
from faultwire_consumer.domain.grouping.foreign.javascript_text import plain_text
from faultwire_consumer.domain.grouping.foreign.plain import comparable_text
from faultwire_consumer.domain.grouping.language import Language, language_of

BOUND = 2.0
"""Seconds for what takes milliseconds: a pattern that goes back and forth would take minutes."""


@pytest.mark.parametrize(
    ("library", "language"),
    [
        ("sentry.javascript.browser", "javascript"),
        ("sentry.javascript.react-native", "javascript"),
        ("raven-js", "javascript"),
        ("raven-node", "javascript"),
        ("opentelemetry.javascript", "javascript"),
        ("sentry.python.django", "python"),
        ("raven-python", "python"),
        ("sentry.ruby.rails", "ruby"),
        ("raven-ruby", "ruby"),
        ("sentry.go", "go"),
        ("raven-go", "go"),
        ("sentry.java.spring-boot", "java"),
        ("sentry.php.laravel", "php"),
        ("sentry.dotnet.aspnetcore", "dotnet"),
        ("sentry.native", "other"),
        ("sentry-cli", "other"),
        ("faultwire-python", ""),
        ("faultwire.go", ""),
        ("javascript", ""),
        ("", ""),
    ],
)
def test_the_language_is_that_of_a_library_which_comes_in_by_the_gateway(library: str, language: str) -> None:
    assert language_of(library) == language


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/static/js/main.4f3a9c.js", "/static/js/main.js"),
        ("/static/js/main.4f3a9c1d.chunk.js", "/static/js/main.js"),
        ("/js/vendors~main.abcdef12.chunk.js", "/js/vendors~main.js"),
        ("/assets/index-DdQ3xk2a.js", "/assets/index.js"),
        ("/assets/index-DdQxkAbC.js", "/assets/index.js"),
        ("/assets/index-D_Q-xk2a.js", "/assets/index.js"),
        ("/assets/index-0123456789abcdef.js", "/assets/index.js"),
        ("/4f3a9c1d2e.js", "/0.js"),
        ("/_next/static/chunks/2117-bab1c7d0a1.js", "/_next/static/chunks/2117.js"),
        ("/_next/static/AbCdEf123xyz_0987654/pages/pay.js", "/_next/static/pages/pay.js"),
        ("/app.min.js?v=3#top", "/app.js"),
        ("http://127.0.0.1:9200/dist/page.js?v=1", "/dist/page.js"),
        ("app:///_next/server/chunks/252.js", "/_next/server/chunks/252.js"),
        ("/_next/server/app/api/pay/route.js", "/_next/server/app/api/pay/route.js"),
        ("/src/user-MainPage.js", "/src/user-MainPage.js"),
        ("/src/my-checkout.js", "/src/my-checkout.js"),
        ("/src/order-lines.tsx", "/src/order-lines.tsx"),
        ("/src/facade.js", "/src/facade.js"),
        ("/srv/app/script.cjs", "/srv/app/script.cjs"),
        ("eval at oddities (/srv/app/script.cjs:45:11), <anonymous>", "eval"),
        ("/orders/show.html", "/orders/show.html"),
        ("", ""),
    ],
)
def test_a_file_is_named_without_its_build(path: str, plain: str) -> None:
    assert plain_file(path) == plain


@pytest.mark.parametrize(
    "name",
    [
        *("?", "<anonymous>", "Object.<anonymous>", "Object.?", "eval", "anonymous", "pay/<", "async ?", ""),
        *("a.<computed>", "Object.92411", "new <anonymous>", "Timeout._onTimeout", "Server.<anonymous>"),
    ],
)
def test_all_that_has_no_name_is_one(name: str) -> None:
    assert plain_name(name) == ANONYMOUS


@pytest.mark.parametrize(
    "name",
    [
        *("pay", "Object.pay", "async pay", "n.pay", "new pay", "async Order.pay", "static Order.pay"),
        *("get pay", "Function.pay [as charge]"),
    ],
)
def test_a_function_is_one_however_it_was_called(name: str) -> None:
    assert plain_name(name) == "pay"


def test_a_minifier_s_names_are_told_from_those_of_people() -> None:
    assert all(map(is_minified, ["t", "br", "$0", "_e", "Qa", "aB3", "$0n", "xY_"]))
    assert not any(map(is_minified, ["pay", "map", "App", "find", "onSubmit", ANONYMOUS]))
    assert is_telling("onSubmit")
    assert not any(map(is_telling, ["br", "pay", ANONYMOUS, "apply", "sentryWrapped"]))


@pytest.mark.parametrize(
    ("language", "name", "plain"),
    [
        ("ruby", "block in pay", "pay"),
        ("ruby", "block (2 levels) in pay", "pay"),
        ("ruby", "rescue in block in pay", "pay"),
        ("ruby", "ensure in pay!", "pay!"),
        ("ruby", "Order#pay", "pay"),
        ("ruby", "block in Shop::Order.pay", "pay"),
        ("ruby", "<class:Order>", "<class:Order>"),
        ("ruby", "block in <main>", "<main>"),
        ("ruby", "#<Class:0x00007f>#pay", "pay"),
        (
            "ruby",
            "_app_views_orders_show_html_erb___4188739478271236_70145",
            "_app_views_orders_show_html_erb",
        ),
        ("go", "Charge.func1", "Charge"),
        ("go", "(*Client).Charge.func2.1", "Client.Charge"),
        ("go", "Client.Charge-fm", "Client.Charge"),
        ("go", "Map[...]", "Map"),
        ("go", "main.gowrap1", "main"),
        ("go", "Charge", "Charge"),
        ("java", "lambda$pay$0", "pay"),
        ("java", "$anonfun$pay$1", "pay"),
        ("java", "pay$lambda$3", "pay"),
        ("java", "pay$default", "pay"),
        ("java", "<init>", "<init>"),
        ("php", "App\\Order::{closure}", "App\\Order::{closure}"),
        ("php", "App\\Order::{closure:App\\Order::pay():12}", "App\\Order::{closure}"),
        ("php", "{closure:App\\Order::pay():12}", "App\\Order::{closure}"),
        ("php", "{closure:/app/web.php:3}", "{closure}"),
        ("dotnet", "<PayAsync>d__3.MoveNext", "PayAsync"),
        ("dotnet", "<>c__DisplayClass3_0.<Pay>b__0", "Pay"),
        ("dotnet", "<>c.<Pay>b__3_0", "Pay"),
        ("dotnet", "<Pay>g__Check|3_0", "Pay"),
        ("dotnet", "async Task Order.PayAsync(int id)", "Order.PayAsync"),
        ("dotnet", "List`1.Find", "List.Find"),
        ("rust", "shop::pay::{{closure}}", "shop::pay"),
        ("rust", "shop::pay::h0123456789abcdef", "shop::pay"),
        ("elixir", "anonymous fn/1 in Shop.pay/2", "Shop.pay/2"),
        ("elixir", "-pay/2-fun-0-", "pay/2"),
        ("swift", "closure #1 in pay()", "pay()"),
        ("python", "<lambda>", "<lambda>"),
        ("", "block in pay", "block in pay"),
    ],
)
def test_what_was_generated_is_the_function_that_it_stands_in(
    language: Language, name: str, plain: str
) -> None:
    assert plain_call(language, "", name)[1] == plain


def test_a_state_machine_of_net_is_the_method_that_it_was_made_of() -> None:
    assert plain_call("dotnet", "Shop.Order+<PayAsync>d__3", "MoveNext") == ("Shop.Order", "PayAsync")


def test_accessors_and_proxies_of_the_jvm_are_glue_and_no_other_language_has_any() -> None:
    assert is_glue("java", "com.shop.Order", "access$000")
    assert is_glue("java", "com.shop.$Proxy12", "pay")
    assert not is_glue("java", "com.shop.Order", "access")
    assert not is_glue("ruby", "com.shop.$Proxy12", "access$000")


@pytest.mark.parametrize(
    "texts",
    [
        (
            "Cannot read properties of undefined (reading 'id')",
            "Cannot read property 'id' of undefined",
            'can\'t access property "id", e is undefined',
            "undefined is not an object (evaluating 'n.order.id')",
            "undefined is not an object (evaluating 'n.order.id(1)')",
        ),
        ("Cannot set properties of null (setting 'id')", "Cannot set property 'id' of null"),
        ("e.map is not a function", "Xe.map is not a function. (In 'Xe.map(t)', 'Xe.map' is undefined)"),
        ("shopCart is not defined", "Can't find variable: shopCart"),
    ],
)
def test_engines_and_builds_say_one_thing_in_many_words(texts: tuple[str, ...]) -> None:
    assert len({plain_text(text) for text in texts}) == 1


def test_what_a_text_names_tells_faults_apart() -> None:
    texts = [
        *(f"Cannot read properties of undefined (reading '{name}')" for name in ("id", "total")),
        "Cannot read properties of null (reading 'id')",
        "Cannot set properties of undefined (setting 'id')",
        *(f"e.{name} is not a function" for name in ("map", "filter")),
        *(f"Minified React error #{code}; visit https://react.dev/errors/{code}" for code in (418, 310)),
    ]
    assert len({plain_text(text) for text in texts}) == len(texts)


def test_an_object_of_ruby_is_its_class() -> None:
    one = 'undefined method `x\' for #<Shop::Order:0x00007f1c @id=17, @name="bob">'
    assert comparable_text("ruby", one) == "undefined method `x' for #<Shop::Order>"
    assert comparable_text("", one) == one


_BOMBS = ("a." * 40_000, "<" * 80_000, "(*" * 40_000, "block in " * 9_000, "$1" * 40_000, "-" * 80_000)
_MORE = ("a1" * 40_000, "#<A:0x0" * 12_000, "undefined is not an object (evaluating '" + "." * 80_000)


@pytest.mark.parametrize(
    "text", [*_BOMBS, *_MORE, "{closure:" * 9_000, "Aa-" * 30_000, "[" * 80_000, "$ " * 40_000]
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    plain_name(text)
    plain_file(f"/a/{text}.js")
    plain_text(text)
    for language in LANGUAGES:
        plain_call(language, text, text)
        comparable_text(language, text)
    assert time.process_time() - began < BOUND


@given(st.text("aZ0$<>.()[]{}#:/_-+ éв", max_size=60), st.sampled_from(LANGUAGES))
def test_any_name_has_a_plain_one_that_is_no_longer(text: str, language: Language) -> None:
    assert len(plain_name(text)) <= max(len(text), len(ANONYMOUS))
    assert len(plain_file(text)) <= max(len(text), len("0.js"))
    assert all(len(part) <= len(text) for part in plain_call(language, text, text))
