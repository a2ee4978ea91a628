"""The sources of a service and of a library below it, in four releases.

From release to release lines move, other code comes and goes, far callers are edited, and the library's
insides are renamed.
"""

import linecache
import sys
from hashlib import sha256
from types import ModuleType
from typing import Any, Final

RELEASES: Final = 4

_LIBRARY: Final = """
class TransportError(Exception):
    pass
class StatusError(Exception):
    pass
def INNER(address):
    raise ConnectionRefusedError(111, "Connection refused")
def DEEPER(address):
    return INNER(address)
def request(address, status=None):
    try:
        if status is not None:
            raise StatusError(f"HTTP Error {status}: nothing from {address}")
        return DEEPER(address)
    except ConnectionError as error:
        raise TransportError(f"cannot reach {address}") from error
def visit(items, call):
    for item in items:
        call(item)
"""

_ORDERS: Final = """
import asyncio, io, json, sqlite3, struct, tomllib, urllib.error, uuid, decimal, datetime, socket
import xml.etree.ElementTree as tree
import paylib
class Refused(Exception):
    pass
class Missing(KeyError):
    pass
class Failed(Exception):
    def __init__(self, text, status=None):
        super().__init__(text)
        if status: self.status = status
def check_card(n):
    if n < 0:
        raise Refused(f"card {n} is too old")
    raise Refused(f"card {n} was stolen")
def parse_amount(text):
    return int(text)
def import_orders(n):
    return parse_amount(f"x{n}")
def import_stock(n):
    return parse_amount(f"y{n}")
def total_of(n, broken):
    net = parse_amount("n/a" if broken == "net" else "1")
    tax = parse_amount("n/a" if broken == "tax" else "1")
    return net + tax
def read_json(n):
    return json.loads('{"a":' + "1" * n + "}}")
def read_basket(n):
    return json.loads("[" * n + "x")
def read_xml(n):
    return tree.fromstring("<a>" * n + "</b>")
def read_toml(n):
    return tomllib.loads("\\n" * n + "a = [")
def read_uuid(n):
    return uuid.UUID(f"{n}")
def read_day(n):
    return datetime.datetime.strptime(f"{n}", "%Y-%m-%d")
def read_decimal(n):
    return decimal.Decimal(f"{n},5")
def unpack(n):
    return struct.unpack("<I", b"x" * (n % 3))
def decode(n):
    return bytes([255, n % 128]).decode()
def look_up(n):
    return {"a": 1}[f"customer-{n}"]
def first_of(n):
    return [][n]
def name_of(n):
    customer = None
    return customer.name
def mean_of(n):
    return n / 0
def add_up(n):
    return sum(item / 0 for item in [n])
def all_of(n):
    return [item / (item - item) for item in [n]]
def by_lambda(n):
    rule = lambda value: value["missing"]
    return rule({n: n})
def closure(n):
    def handler(value):
        raise Missing(f"row {value}")
    return handler(n)
def open_file(n):
    return open(f"/nonexistent/{n}.csv")
def write_file(n, number, text):
    raise OSError(number, text, f"/var/lib/shop/{n}.json")
def charge(n):
    return paylib.request(f"10.0.0.{n % 250}:443")
def refund(n):
    return paylib.request(f"10.0.1.{n % 250}:443")
def ask(n, status):
    return paylib.request(f"https://pay.example/{n}", status)
def fetch(n, status):
    error = urllib.error.HTTPError(f"https://a.example/{n}", status, "no", {}, io.BytesIO())
    error.close()
    raise error
def call_api(n, status):
    raise Failed(f"request {n} gave nothing", status)
def visit_all(n):
    return paylib.visit([n], look_up)
def gateway(n):
    try:
        return charge(n)
    except paylib.TransportError as error:
        raise Failed(f"order {n} was not paid") from error
def validate(n, why):
    try:
        return int("x")
    except ValueError:
        if why == "negative":
            raise Refused(f"{n} is negative")
        raise Refused(f"{n} is empty")
def connect(n):
    raise ConnectionResetError(104, "Connection reset by peer")
def consume(n, left):
    try:
        connect(n)
    except ConnectionError:
        if not left: raise
        consume(n, left - 1)
def retry(n, times):
    last = None
    for attempt in range(times):
        try:
            return open_table(n)
        except LookupError as error:
            if last is not None: error.__cause__ = last
            last = error
    raise last
def open_table(n):
    raise LookupError(f"table {n} is not there")
def endless(n):
    return endless(n + 1)
def ping(n):
    return pong(n + 1)
def pong(n):
    return pang(n)
def pang(n):
    return ping(n)
def walk(n, depth):
    if not depth:
        raise Refused(f"leaf {n}")
    return descend(n, depth - 1)
def descend(n, depth):
    return walk(n, depth)
def insert(n, column):
    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE TABLE users (email UNIQUE, name UNIQUE)")
        database.execute("INSERT INTO users VALUES ('a', 'b')")
        database.execute("INSERT INTO users VALUES (?, ?)", ("a", n) if column == "email" else (n, "b"))
    finally:
        database.close()
def select(n):
    database = sqlite3.connect(":memory:")
    try:
        database.execute(f"SELECT * FROM events_202611{n:02d}")
    finally:
        database.close()
def partition(n):
    raise RuntimeError(f'relation "events_202611{n:02d}" does not exist')
def slow(n):
    raise TimeoutError(f"slow response: {200 + n} ms")
async def forever(n):
    await asyncio.get_running_loop().create_future()
async def load(n):
    await forever(n)
async def store(n):
    await forever(n)
async def handle(n):
    async with asyncio.timeout(None) as limit:
        limit.reschedule(0)
        await (load if n % 2 else store)(n)
async def handle_task(n):
    await asyncio.gather(*(broken_task(n) for _ in range(n % 3 + 1)))
async def broken_task(n):
    raise Missing(f"task {n}")
async def handle_group(n):
    async with asyncio.TaskGroup() as group:
        for _ in range(n % 3 + 1):
            group.create_task(group_member(n))
async def group_member(n):
    raise Refused(f"member {n}")
class Basket:
    def put(self, n):
        self.items.append(n)
    @property
    def items(self):
        return self.stored
    async def save(self, n):
        raise PermissionError(13, "Permission denied", f"/data/{n}")
def run(name, *args):
    return dispatch(globals()[name], *args)
def dispatch(call, *args):
    return route(call, *args)
def route(call, *args):
    found = call(*args)
    return asyncio.run(found) if asyncio.iscoroutine(found) else found
def basket(n):
    return Basket().put(n)
async def save(n):
    await Basket().save(n)
"""

_MODULES: Final = {"paylib": _LIBRARY, "shop.orders": _ORDERS}


def release(number: int) -> ModuleType:
    """Compile a release of the library and the service, and return the service's module."""
    library = _compile("paylib", _text("paylib", number), f"/opt/venv/lib/site-packages/paylib-{number}.py")
    sys.modules["paylib"] = library
    try:
        return _compile("shop.orders", _text("shop.orders", number), f"/srv/releases/{number}/shop/orders.py")
    finally:
        del sys.modules["paylib"]


def generated(number: int, release_number: int) -> Any:
    """Compile a function as a rule engine would: under a name, a module and a file of its own."""
    name = f"rule_{number}"
    source = f"def {name}(value):\n    return value / 0\n"
    module = ModuleType(f"rules_{sha256(name.encode()).hexdigest()[:12]}")
    file = f"/var/rules/tmp{number:08x}/release-{release_number}/{name}.py"
    exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102 - generated code is the subject
    return module.__dict__[name]


def _compile(name: str, source: str, file: str) -> ModuleType:
    module = ModuleType(name)
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102 - the sources of a release
    return module


def _text(name: str, number: int) -> str:
    text = _MODULES[name].replace("INNER", f"_connect_{'abcd'[number]}")
    if number % 2 == 0:  # the library's way inside becomes a longer one
        text = text.replace("return DEEPER(address)", "return INNER2(address)").replace("INNER2", "DEEPER")
    text = text.replace("DEEPER", f"_open{'wxyz'[number]}")
    if number > 1:
        text = text.replace("dispatch(globals()[name], *args)", "dispatch(globals().get(name), *args)")
    comments = "# moved\n" * (number * 7)
    return f"{comments}{text}"
