"""Events of services in other languages, as their publishers write them: release by release, by hand."""

from collections.abc import Iterator
from typing import Any, Final

from tests.tools.corpus import Sample
from tests.tools.corpus.service import RELEASES
from tests.tools.factories import wire_body

EACH: Final = 2
_HASHES: Final = ("3f2a9c1d", "9b1d4e2f", "0c8e7f6a", "d41d8c9b")
_BUNDLES: Final = ("DiwrgTda", "Bk3PxZ9a", "x7Qa_0Lm", "K2vN8sPq")

Frames = list[dict[str, Any]]


def _javascript(release: int, number: int, crash: str) -> Frames:
    host = f"https://cdn{number}.shop.example/assets"
    return [
        {"file": f"{host}/vendor.{_HASHES[release]}.js?v={release}", "qualname": "dispatch", "in_app": False},
        {"file": f"{host}/main-{_BUNDLES[release]}.js", "qualname": "onClick"},
        {"file": f"{host}/checkout.{_HASHES[-1 - release]}.js", "qualname": crash},
    ]


def _node(release: int, number: int, crash: str) -> Frames:
    root = f"/srv/shop/releases/2026112{release}{number:06d}"
    return [
        {"file": f"{root}/server.js", "qualname": "Server.<anonymous>"},
        {
            "file": f"{root}/node_modules/express/lib/router-{release}.js",
            "qualname": f"next{'abcd'[release]}",
        },
        {"file": f"{root}/lib/orders.js", "qualname": crash},
    ]


def _jvm(release: int, number: int, crash: str) -> Frames:
    proxy = (
        f"OrderService$$EnhancerBySpringCGLIB$${_HASHES[release]}"
        if release < 2
        else "OrderService$$SpringCGLIB$$0"
    )
    accessor = f"GeneratedMethodAccessor{number + 17}" if number % 2 else "NativeMethodAccessorImpl"
    return [
        {"module": "com.shop.web.OrderController", "qualname": f"lambda$post${number}"},
        {"module": f"jdk.internal.reflect.{accessor}", "qualname": "invoke0" if number % 2 else "invoke"},
        {"module": f"com.shop.order.{proxy}", "qualname": "pay"},
        {"module": "com.shop.order.OrderService", "qualname": "pay"},
        {"module": "org.springframework.tx.Interceptor", "qualname": f"invoke{'abcd'[release]}"},
        {
            "module": f"com.shop.order.Card$$Lambda${number + 100}/0x00000008{release}0c8{number}",
            "qualname": "apply",
        },
        {"module": "com.shop.order.Card", "qualname": crash},
    ]


def _go(release: int, number: int, crash: str) -> Frames:
    return [
        {
            "file": f"/build/{_HASHES[release]}/cmd/shop/main.go",
            "module": "main",
            "qualname": f"main.func{number + 1}",
        },
        {
            "file": f"/build/{_HASHES[release]}/pay@v1.{release}.{number}/charge.go",
            "qualname": f"(*Client).{crash}",
        },
    ]


def _ruby(release: int, number: int, crash: str) -> Frames:
    root = ("/app", "/usr/src/app", f"/home/deploy/shop/releases/{release}{number}", "/srv/current")[release]
    return [
        {"file": f"{root}/app/controllers/orders_controller.rb", "qualname": "create"},
        {"file": f"{root}/app/models/order.rb", "qualname": f"block ({number + 1} levels) in {crash}"},
    ]


def _template(release: int, number: int, crash: str) -> Frames:
    page = f"{('/srv/rel', '/app/v', '/opt/shop-', '/srv/rel')[release]}{release}/templates/order.html"
    return [
        {"module": "shop.pages", "qualname": "show", "context": ["template.render(order=order)"]},
        {"module": page, "file": page, "qualname": crash, "context": [f"{{{{ {crash} }}}}"]},
    ]


_LANGUAGES: Final = {
    "javascript": (_javascript, "TypeError", ("pay", "showTotal")),
    "node": (_node, "RangeError", ("find", "update")),
    "jvm": (_jvm, "IllegalStateException", ("check", "charge")),
    "go": (_go, "*errors.errorString", ("Charge", "Refund")),
    "ruby": (_ruby, "NoMethodError", ("total", "discount")),
    "jinja": (_template, "UndefinedError", ("total", "top")),
}


def foreign_samples() -> Iterator[Sample]:
    """Write two bugs of each language in every release."""
    for language, (frames, kind, crashes) in _LANGUAGES.items():
        for crash in crashes:
            for release in range(RELEASES):
                for number in range(EACH):
                    raised = {"type": kind, "value": f"no {number}", "frames": frames(release, number, crash)}
                    yield Sample(f"{language} {crash}", wire_body(service=language, exceptions=[raised]))
