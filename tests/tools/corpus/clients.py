"""Events of other languages' clients, as the gateway reads them: bugs in two builds of their services.

From build to build a line is added and everything is bundled anew: hashes, chunks' numbers and short names
are others, closures have other numbers, and texts hold other ids.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.tools.corpus import Sample
from tests.tools.factories import wire_body

BUILDS: Final = 2
EACH: Final = 3

Frames = list[dict[str, Any]]
Chain = list[dict[str, Any]]

_SHORT: Final = (("br", "vw", "Xe", "t"), ("ki", "n", "$0", "Qa"))
_BUNDLES: Final = (("4f3a9c", "DdQ3xk2a", "252"), ("a81be7", "x_7QaLmB", "2117"))
_ENGINES: Final = 3


def _frame(file: str, name: str, source: str = "", **fields: Any) -> dict[str, Any]:
    return {"file": file, "qualname": name, "context": [source] if source else []} | fields


def _thrown(kind: str, value: str, frames: Frames, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, "frames": frames} | fields


def _bundle(build: int, number: int, *names: str) -> Frames:
    """Calls in a bundle; those without a name are a minifier's, and each page has its own way there."""
    short, (digest, hashed, chunk) = _SHORT[build], _BUNDLES[build]
    files = (
        f"/static/js/main.{digest}.chunk.js",
        f"/assets/index-{hashed}.js",
        f"/_next/static/chunks/{chunk}.js",
    )
    way = [_frame(files[number], short[index]) for index in range(2 + build)]
    calls = [_frame(files[number], name or short[-1 - index]) for index, name in enumerate(names)]
    return [_frame("", "Array.forEach"), *way, *calls]


def _missing(engine: int, build: int, name: str) -> str:
    """What three engines say of a property of nothing."""
    short = _SHORT[build][0]
    return (
        f"Cannot read properties of undefined (reading '{name}')",
        f'can\'t access property "{name}", {short} is undefined',
        f"undefined is not an object (evaluating '{short}.{name}')",
    )[engine]


def _browser(build: int, number: int) -> Iterator[tuple[str, Chain]]:
    """Bugs of a page whose code is minified, in three browsers."""
    engine, short = number % _ENGINES, _SHORT[build]
    for name in ("total", "items", "currency"):
        yield (
            f"missing {name}",
            [_thrown("TypeError", _missing(engine, build, name), _bundle(build, number, "", ""))],
        )
    for name in ("onSubmit", "loadCart"):
        text, crash = _missing(engine, build, "id"), _bundle(build, number, f"{short[0]}.{name}", "")
        yield f"missing id in {name}", [_thrown("TypeError", text, crash)]
    for name in ("map", "toFixed"):
        yield (
            f"no function {name}",
            [_thrown("TypeError", f"{short[1]}.{name} is not a function", _bundle(build, number, ""))],
        )
    for code in ("418", "310"):
        text = f"Minified React error #{code}; visit https://react.dev/errors/{code} for the full message"
        yield f"react {code}", [_thrown("Error", text, _bundle(build, number, "", "", ""))]
    refused = _thrown("Error", f"gateway refused order {number + 17}", _bundle(build, number, ""))
    cause = "Failed to fetch"
    for outer in ("refused", "basket"):
        raised = (
            refused if outer == "refused" else refused | {"value": f"basket {number}f{build} was not saved"}
        )
        yield f"fetch for {outer}", [raised, _thrown("TypeError", cause, _bundle(build, number, "", ""))]
    yield (
        "chunk",
        [_thrown("ChunkLoadError", f"Loading chunk {252 + build} failed.", _bundle(build, number, "", ""))],
    )


def _synthetic(build: int, number: int) -> Iterator[tuple[str, Chain]]:
    """What was thrown and is no error: frames are those of the call that reported it."""
    made = {"attributes": {"synthetic": True}}
    for text in (
        "no stock for {}",
        "payment of {} timed out",
        "Object captured as exception with keys: code, message",
    ):
        frames = [_frame("/srv/shop/lib/report.js", f"Object.report{build or ''}", "capture(thrown)")]
        yield f"thrown {text}", [_thrown("Error", text.format(number + 40), frames) | made]


def _node(build: int, number: int) -> Iterator[tuple[str, Chain]]:
    """Bugs of a server whose sources are known; calls are spelled in many ways."""
    root = f"/srv/shop/releases/2026112{build}{number:04d}"
    start = (
        []
        if number
        else [
            _frame(f"{root}/server.js", ("Object.<anonymous>", "Object.?")[build], "start()", module="server")
        ]
    )
    route = _frame(f"{root}/lib/routes.js", ("Server.<anonymous>", "?")[build], "await handle(request)")
    express = _frame(f"{root}/node_modules/express/lib/router.js", f"next{'ab'[build]}", in_app=False)
    for name, source in (
        ("find", "return rows[0].id"),
        ("update", "order.lines.push(line)"),
        ("price", "sum += line.net"),
    ):
        receiver = ("Order.", "async VipOrder.", "")[number]
        crash = _frame(
            f"{root}/lib/orders.js", f"{receiver}{name}", source, module=("orders", "lib.orders")[build]
        )
        text = "Cannot read properties of undefined (reading 'id')"
        yield f"order {name}", [_thrown("TypeError", text, [*start, route, express, route, crash])]
    for call, name in (("open", "ENOENT"), ("connect", "ECONNREFUSED")):
        text = (
            f"{name}: no such thing, {call} '/srv/{number}'"
            if call == "open"
            else f"connect {name} 10.0.0.{number}:4000"
        )
        told = {} if build else {"attributes": {"errno": -number - 100, "code": name, "syscall": call}}
        frames = [
            *start,
            route,
            _frame(f"{root}/lib/files.js", "new Store", "this.load(name)"),
            _frame("node:fs", call, in_app=False),
        ]
        yield f"system {name}", [_thrown("Error", text, frames) | told]
    page = [
        _frame("/_next/server/instrumentation.js", "j.with"),
        _frame(f"/_next/server/chunks/{_BUNDLES[build][2]}.js", "?"),
    ]
    for text in ("route refused order {}", "no region for {}"):
        crash = _frame("/_next/server/app/api/pay/route.js", _SHORT[build][0])
        yield f"server bundle {text}", [_thrown("Error", text.format(number), [*page, crash])]


def _ruby(build: int, number: int) -> Iterator[tuple[str, Chain]]:
    root = ("app/models", "/srv/app/releases/20261124/app/models")[build]
    serial = 4188739478271236 + number
    for name, source in (
        *(("pay", "card.charge(total)"), ("refund", "card.refund(total)"), ("total", "lines.sum(&:net)")),
        *(("ship", "carrier.book!(self)"), ("cancel", "raise NotAllowed")),
    ):
        label = (f"block ({number + 1} levels) in {name}", f"rescue in {name}", f"Order#{name}")[number]
        frames = [
            _frame(
                f"{root}/../controllers/orders_controller.rb",
                ("create", "OrdersController#create")[build],
                "order.save",
            ),
            _frame("active_support/callbacks.rb", f"block in run{build}", in_app=False),
            _frame(f"{root}/order.rb", label, source),
        ]
        yield (
            f"ruby {name}",
            [_thrown("NoMethodError", f"undefined method 'x' for #<Order:0x{serial:016x}>", frames)],
        )
    for page in ("show", "index"):
        name = f"_app_views_orders_{page}_html_erb___{serial}_{build}70145"
        frames = [_frame(f"app/views/orders/{page}.html.erb", name, "<%= order.total %>", in_app=True)]
        yield f"ruby view {page}", [_thrown("ActionView::Template::Error", f"no total of {number}", frames)]
    for text in ("order {} is locked", "stock of {} is negative"):
        frames = [_frame("script.rb", f"block in {'main' if build else '<main>'}", in_app=False)][:0]
        yield (
            f"ruby without frames {text}",
            [_thrown("RuntimeError", text.format(f"#<Order:0x{serial:016x} @id={number}>"), frames)],
        )


def _go(build: int, number: int) -> Iterator[tuple[str, Chain]]:
    """Go's errors have no stack: frames are those of the call that reported them, in one place for all."""
    frames = [
        _frame(
            "/usr/local/go/src/net/http/server.go", "HandlerFunc.ServeHTTP", module="net/http", in_app=False
        ),
        _frame("/build/shop/main.go", f"main.func{build + 1}.{number + 1}", "report(err)", module="main"),
    ]
    for text in (
        *("charge order {}: connection refused", "refund order {}: connection refused", "no rate for {}"),
        *("decode basket: unexpected EOF", "basket {}: context deadline exceeded"),
    ):
        told = text.format(f"{number + 4711}")
        root = told.rpartition(": ")[2]
        yield (
            f"go {text}",
            [_thrown("*fmt.wrapError", told, frames), _thrown("*errors.errorString", root, [])],
        )
    for name in ("Charge", "Refund", "Total"):
        panicked = [
            _frame(
                "/build/shop/pay.go",
                f"(*Client).{name}.func{build + number}",
                "total := lines[at]",
                module="shop/pay",
            ),
            _frame(
                "/build/shop/list.go", "At[...]" if number else "At[int]", "return all[i]", module="shop/list"
            ),
        ]
        text = f"runtime error: index out of range [{number}] with length {build}"
        yield f"go panic {name}", [_thrown("runtime.boundsError", text, panicked)]


def _jvm(build: int, number: int) -> Iterator[tuple[str, Chain]]:
    for name in ("pay", "refund"):
        glue = [_frame("Order.java", f"access${number}00", module="com.shop.Order")] if build else []
        frames = [
            _frame("", "post", module=f"com.shop.$Proxy{number + build}"),
            *glue,
            _frame("Order.java", f"lambda${name}${number + build}", module="com.shop.Order"),
            _frame("Card.java", f"{name}Card", module=f"com.shop.Card$$Lambda/0x000{build}{number}"),
        ]
        yield f"jvm {name}", [_thrown("IllegalStateException", f"card {number}", frames, module="java.lang")]


def _dotnet(build: int, number: int) -> Iterator[tuple[str, Chain]]:
    for name in ("PayAsync", "RefundAsync"):
        machine = _frame("Order.cs", "MoveNext", module=f"Shop.Order+<{name}>d__{build + number}")
        closure = _frame("Card.cs", f"<>c__DisplayClass{build}_0.<{name}>b__{number}", module="Shop.Card")
        yield (
            f"dotnet {name}",
            [_thrown("InvalidOperationException", f"{number}", [machine, closure], module="System")],
        )


def _php(build: int, number: int) -> Iterator[tuple[str, Chain]]:
    for name in ("pay", "refund"):
        closure = (f"App\\Order::{{closure:App\\Order::{name}():{number}}}", "App\\Order::{closure}")[build]
        frames = [_frame("/app/src/Order.php", f"App\\Order::{name}"), _frame("/app/src/Order.php", closure)]
        yield f"php {name}", [_thrown("LogicException", f"order {number}", frames)]


_CLIENTS: Final = {
    "sentry.javascript.browser": (_browser, _synthetic),
    "sentry.javascript.node": (_node, _synthetic),
    "sentry.ruby": (_ruby,),
    "sentry.go": (_go,),
    "sentry.java": (_jvm,),
    "sentry.dotnet": (_dotnet,),
    "sentry.php": (_php,),
}
_MESSAGES: Final = ("cache of {} is cold", "queue {} is nearly full")


def client_samples() -> Iterator[Sample]:
    """Write each bug of each client's service three times in two builds, and logged texts with a stack."""
    for client, writers in _CLIENTS.items():
        for build in range(BUILDS):
            for number in range(EACH):
                for write in writers:
                    for bug, chain in write(build, number):
                        yield _sample(client, f"{client} {bug}", exceptions=chain)
                yield from _messages(client, build, number)


def _messages(client: str, build: int, number: int) -> Iterator[Sample]:
    for text in _MESSAGES:
        told = text.format(number + 10)
        stack: Sequence[dict[str, Any]] = [_thrown("", told, _bundle(build, number, "", "message"))]
        yield _sample(client, f"{client} {text}", message=told, exceptions=stack if build else [])


def _sample(client: str, bug: str, **fields: Any) -> Sample:
    service = client.rpartition(".")[2]
    return Sample(bug, wire_body(service=service, sdk={"name": client, "version": "11.0"}, **fields))
