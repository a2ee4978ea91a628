"""Whose code a frame is, by where it lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.gateway.in_app import is_own_code

OWN = [
    ("/srv/app/otel.py", "otel", "python"),
    ("/app/lib/pay.py", "pay", "python"),
    ("billing/pay.py", "billing.pay", "python"),
    ("<string>", "", "python"),
    (r"C:\shop\pay.py", "pay", "python"),
    ("/srv/app/otel.cjs", "", "javascript"),
    ("http://127.0.0.1:9200/dist/page.js", "", "webjs"),
    ("webpack:///./src/cart.js", "", "javascript"),
    ("/srv/app/events.js", "", "nodejs"),
    ("Cart.java", "com.shop.Cart", "java"),
    ("/srv/shop/cart.rb", "", "ruby"),
    ("/srv/shop/cart.go", "main", "go"),
    ("", "", ""),
    ("/srv/shop/cart", "", "elixir"),
]
LIBRARIES = [
    (
        "/srv/env/lib/python3.11/site-packages/opentelemetry/trace/__init__.py",
        "opentelemetry.trace",
        "python",
    ),
    ("/usr/lib/python3/dist-packages/django/core.py", "django.core", "python"),
    ("/usr/lib/python3.11/asyncio/tasks.py", "asyncio.tasks", "python"),
    ("asyncio/tasks.py", "asyncio.tasks", "python"),
    (r"C:\Users\me\Python311\Lib\json\decoder.py", "json.decoder", "python"),
    (r"C:\shop\env\Lib\site-packages\flask\app.py", "flask.app", "python"),
    ("<frozen importlib._bootstrap>", "importlib._bootstrap", "python"),
    ("node:internal/modules/cjs/loader", "", "nodejs"),
    ("internal/modules/cjs/loader.js", "", "javascript"),
    ("events.js", "", "node"),
    ("/srv/app/node_modules/express/lib/router.js", "", "node"),
    ("webpack:///./node_modules/react/index.js", "", "javascript"),
    ("chrome-extension://abcdef/inject.js", "", "javascript"),
    ("<anonymous>", "", "javascript"),
    ("Thread.java", "java.lang.Thread", "java"),
    ("/usr/lib/ruby/gems/3.1.0/gems/rack-3/lib/rack.rb", "", "ruby"),
    ("/root/go/pkg/mod/github.com/gin-gonic/gin@v1/gin.go", "github.com/gin-gonic/gin", "go"),
    ("", "System.Threading.Tasks.Task", "csharp"),
    ("/srv/shop/vendor/laravel/framework/src/Route.php", "", "php"),
    ("/srv/app/node_modules/a/b.js", "", "somethingelse"),
]


@pytest.mark.parametrize(("file", "module", "language"), OWN)
def test_a_services_own_code_is_its_own(file: str, module: str, language: str) -> None:
    assert is_own_code(file, module, language)


@pytest.mark.parametrize(("file", "module", "language"), LIBRARIES)
def test_a_library_is_not_the_services_own(file: str, module: str, language: str) -> None:
    assert not is_own_code(file, module, language)


@given(
    st.text(),
    st.text(),
    st.sampled_from(["python", "javascript", "java", "go", "ruby", "php", "csharp", "x"]),
)
def test_any_text_is_judged(file: str, module: str, language: str) -> None:
    assert is_own_code(file, module, language) in (True, False)
