"""Which events are one incident, and which are not."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.fingerprint import compute, earlier
from faultwire_consumer.domain.grouping.material import (
    Fingerprint,
    GroupingException,
    GroupingFrame,
    GroupingMaterial,
)
from faultwire_consumer.domain.grouping.normal_text import normalise
from faultwire_shared.event import Category


def frame(
    qualname: str, *, source: str = "", module: str = "shop.orders", in_app: bool = True, file: str = ""
) -> GroupingFrame:
    return GroupingFrame(module, qualname, file, in_app, [source] if source else [])


def raised(
    *frames: GroupingFrame,
    type: str = "ValueError",  # noqa: A002 - named as on the wire
    module: str = "builtins",
    value: str = "",
    attributes: Mapping[str, object] | None = None,
) -> GroupingException:
    return GroupingException(type, module, value, dict(attributes or {}), list(frames))


def group(
    *chain: GroupingException,
    service: str = "shop",
    code: str = "",
    message: str = "",
    template: str | None = None,
    logger: str = "",
    explicit: Sequence[str] = (),
) -> Fingerprint:
    return compute(
        GroupingMaterial(
            service=service,
            category=Category.SYSTEM,
            code=code,
            message=message,
            template=template,
            logger=logger,
            explicit=explicit,
            exceptions=chain,
        )
    )


def test_one_bug_with_ten_thousand_ids_in_its_text_is_one_incident() -> None:
    found = {
        group(message=f"order {number} of customer c-{number:08x} failed").key for number in range(10_000)
    }
    assert len(found) == 1


def test_ids_in_the_text_of_an_exception_without_frames_do_not_split_it() -> None:
    assert group(raised(value="no row 17")).key == group(raised(value="no row 94512")).key


def test_two_raises_in_one_function_are_two_incidents() -> None:
    first = group(raised(frame("pay", source='raise ValueError("no card")')))
    second = group(raised(frame("pay", source='raise ValueError("no cash")')))
    assert first.key != second.key


def test_two_call_sites_of_one_helper_are_two_incidents() -> None:
    helper = frame("parse", source="raise ValueError(text)")
    assert (
        group(raised(frame("import_orders"), helper)).key != group(raised(frame("import_stock"), helper)).key
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"status": 401}, {"status": 503}),
        ({"errno": "ENOSPC"}, {"errno": "ENAMETOOLONG"}),
        ({"sqlstate": "23505"}, {"sqlstate": "40001"}),
        ({"constraint_name": "users_email_key"}, {"constraint_name": "users_pkey"}),
    ],
)
def test_faults_that_differ_in_an_identity_detail_are_two_incidents(
    one: dict[str, object], other: dict[str, object]
) -> None:
    call = frame("fetch", source="response.raise_for_status()")
    assert group(raised(call, attributes=one)).key != group(raised(call, attributes=other)).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTP 401 from the gateway", "HTTP 503 from the gateway"),
        ("the gateway answered with 401", "the gateway answered with 503"),
        ("upload failed, error code: 401", "upload failed, error code: 503"),
        ("[Errno 28] No space left on device: '/a'", "[Errno 36] File name too long: '/b'"),
        ("UNIQUE constraint failed: users.email", "UNIQUE constraint failed: users.name"),
    ],
)
def test_an_identity_detail_is_found_in_the_text_where_the_publisher_sent_no_attributes(
    one: str, other: str
) -> None:
    call = frame("fetch", source="call()")
    assert group(raised(call, value=one)).key != group(raised(call, value=other)).key


def test_an_error_number_and_its_name_are_the_same_detail() -> None:
    assert group(raised(frame("f"), attributes={"errno": 111})).key == (
        group(raised(frame("f"), attributes={"errno": "ECONNREFUSED"})).key
    )


@pytest.mark.parametrize("cycle", [["walk"], ["visit", "descend"]])
def test_recursion_five_deep_and_fifty_deep_is_one_incident(cycle: list[str]) -> None:
    def deep(times: int) -> bytes:
        calls = [frame(name) for name in cycle] * times
        return group(raised(frame("main"), *calls, frame("fail"))).key

    assert deep(5) == deep(50)


def test_a_library_that_moves_its_insides_does_not_split_an_incident() -> None:
    app, entry = frame("load", source="json.loads(text)"), frame("loads", module="json", in_app=False)
    old = group(raised(app, entry, frame("decode", module="json.decoder", in_app=False)))
    new = group(raised(app, entry, frame("scan_once", module="json.scanner", in_app=False)))
    assert old.key == new.key


def test_two_entry_points_of_a_library_are_two_incidents() -> None:
    app = frame("load")
    first, second = (
        group(raised(app, frame(name, module="json", in_app=False))) for name in ("loads", "dumps")
    )
    assert first.key != second.key


def test_a_comprehension_is_its_function_whatever_the_version_of_python() -> None:
    function, inside = (
        frame("total", source="sum(x for x in y)"),
        frame("total.<genexpr>", source="sum(x for x in y)"),
    )
    assert group(raised(function, inside)).key == group(raised(function)).key


def test_a_chain_is_grouped_by_its_root_cause_and_the_outer_types() -> None:
    root = raised(frame("connect", source="sock.connect()"), type="ConnectionRefusedError")
    wrapped = group(raised(frame("pay"), type="GatewayError"), root)
    assert wrapped.key != group(root).key
    assert [part for part in wrapped.parts if part.startswith(("type", "outer"))] == [
        "type ConnectionRefusedError",
        "outer type GatewayError",
        "outer frame shop.orders:pay",
    ]


def test_a_cause_raised_inside_a_library_is_told_apart_by_the_call_sites_of_ours() -> None:
    def refused(caller: str, inside: str) -> Fingerprint:
        root = raised(frame(inside, module="asyncio.streams", in_app=False), type="ConnectionRefusedError")
        library = frame("request", module="aiohttp.client", in_app=False)
        return group(raised(frame(caller), library, type="ClientConnectorError"), root)

    assert refused("charge", "connect").key != refused("refund", "connect").key
    assert refused("charge", "connect").key == refused("charge", "moved_in_the_next_release").key


def test_the_order_of_a_groups_members_does_not_matter() -> None:
    one, two = raised(frame("a"), type="KeyError"), raised(frame("b"), type="OSError")
    first = GroupingException("ExceptionGroup", "builtins", members=[[one], [two]])
    second = GroupingException("ExceptionGroup", "builtins", members=[[two], [one], [one]])
    assert group(first).key == group(second).key


def test_an_explicit_fingerprint_wins_and_default_splices() -> None:
    plain = group(raised(frame("a")), explicit=["payments"])
    assert plain.key == group(raised(frame("b")), explicit=["payments"]).key
    spliced = group(raised(frame("a")), explicit=["{{ default }}", "eu"])
    assert spliced.parts == (*group(raised(frame("a"))).parts, "explicit eu")


def test_the_same_error_of_two_services_is_two_incidents_even_with_an_explicit_fingerprint() -> None:
    assert group(explicit=["x"], service="a").key != group(explicit=["x"], service="b").key


def test_a_code_that_is_only_the_categorys_own_does_not_split() -> None:
    assert group(message="m", code="INTERNAL_ERROR").key == group(message="m").key
    assert group(message="m", code="CARD_GATEWAY_DOWN").key != group(message="m").key


def test_a_template_is_grouped_by_as_it_is() -> None:
    assert (
        group(message="order 17", template="order {id}").key == group(message="x", template="order {id}").key
    )


def keys(*fingerprints: Fingerprint) -> int:
    return len({one.key for one in fingerprints})


@pytest.mark.parametrize(
    "texts",
    [
        ["Expecting value: line 1 column 17 (char 16)", "Expecting value: line 3 column 2 (char 40)"],
        ["slow response: 261 ms", "slow response: 404 ms"],
        ["response 512 bytes short", "response 488 bytes short"],
        ['relation "events_20261123" does not exist', 'relation "events_20261124" does not exist'],
        ["returned non-zero exit status 137.", "returned non-zero exit status 143."],
        ["the query returned 404 rows", "the query returned 503 rows"],
    ],
)
def test_a_text_that_only_looks_like_a_detail_splits_nothing(texts: list[str]) -> None:
    call = frame("read", source="read(text)")
    assert keys(*(group(raised(call, value=text)) for text in texts)) == 1


@pytest.mark.parametrize(
    ("module", "kind", "one", "other"),
    [
        ("urllib.error", "HTTPError", "HTTP Error 404: Not Found", "HTTP Error 503: Service Unavailable"),
        (
            "httpx",
            "HTTPStatusError",
            "Client error '404 Not Found' for url",
            "Client error '401 Unauthorized' for",
        ),
        ("requests.exceptions", "HTTPError", "404 Client Error: Not Found", "503 Server Error: Unavailable"),
        ("aiohttp.client_exceptions", "ClientResponseError", "404, message='x'", "503, message='x'"),
        (
            "urllib3.exceptions",
            "ResponseError",
            "too many 503 error responses",
            "too many 502 error responses",
        ),
        ("shop.gateway", "BadStatusError", "401: denied", "503: away"),
        ("psycopg.errors", "UndefinedColumn", 'column "a" does not exist', 'column "b" does not exist'),
        ("pymysql.err", "OperationalError", "(1205, 'Lock wait')", "(1213, 'Deadlock found')"),
        ("sqlite3", "OperationalError", "no such table: a", "no such table: b"),
        (
            "botocore",
            "ClientError",
            "An error occurred (AccessDenied) when",
            "An error occurred (SlowDown) when",
        ),
        ("smtplib", "SMTPDataError", "(550, b'no such user')", "(452, b'mailbox full')"),
        ("grpc", "RpcError", "status = StatusCode.UNAVAILABLE", "status = StatusCode.UNAUTHENTICATED"),
        ("ssl", "SSLError", "[SSL: WRONG_VERSION_NUMBER] wrong", "[SSL: UNEXPECTED_MESSAGE] unexpected"),
    ],
)
def test_a_text_tells_a_detail_where_its_type_speaks_so(module: str, kind: str, one: str, other: str) -> None:
    call = frame("fetch", source="call()")
    assert keys(*(group(raised(call, type=kind, module=module, value=text)) for text in (one, other))) == 2


def test_a_constraint_is_told_by_the_text_beside_an_error_name_that_says_less() -> None:
    call, code = frame("save", source="session.commit()"), {"sqlite_errorname": "SQLITE_CONSTRAINT_UNIQUE"}
    texts = ("UNIQUE constraint failed: users.email", "UNIQUE constraint failed: users.name")
    found = [
        group(raised(call, type="IntegrityError", module="sqlite3", value=text, attributes=code))
        for text in texts
    ]
    assert keys(*found) == 2


@pytest.mark.parametrize("name", ["table_name", "constraint_name"])
def test_a_table_for_each_day_or_tenant_is_one(name: str) -> None:
    call = frame("save", source="save()")
    names = ("tenant_17.events_20261123", "tenant_18.events_20261124")
    assert keys(*(group(raised(call, attributes={name: each})) for each in names)) == 1


@pytest.mark.parametrize(
    "template", ["%s", "%s: %s", "{}", "{error!r:>10}", "Error: %s", "%(message)s", "$1"]
)
def test_a_template_that_says_nothing_does_not_group(template: str) -> None:
    texts = ("connection refused", "mailbox full", "connection refused")
    assert keys(*(group(message=text, template=template) for text in texts)) == 2


def test_a_template_is_one_whatever_was_put_into_it_before_it_was_one() -> None:
    assert keys(*(group(message="m", template=f"order {number} failed: %s") for number in (17, 4711))) == 1


def test_two_loggers_are_two_incidents() -> None:
    assert (
        keys(*(group(message="m", template="gave up", logger=each) for each in ("shop.db", "shop.mail"))) == 2
    )
    assert keys(*(group(message="m", template="gave up", logger=f"conn-{each}") for each in (17, 4711))) == 1


@pytest.mark.parametrize("lengths", [(1, 2, 3, 19)])
def test_a_chain_that_grows_with_each_attempt_is_one_incident(lengths: tuple[int, ...]) -> None:
    def attempt() -> GroupingException:
        connect, again = frame("connect", source="connect()"), frame("consume", source="connect()")
        return raised(again, connect, type="ConnectionRefusedError", attributes={"errno": 111})

    assert keys(*(group(*(attempt() for _ in range(length))) for length in lengths)) == 1


def test_an_error_that_is_raised_again_and_again_is_one_incident() -> None:
    once, again = frame("retry", source="call()"), frame("retry", source="raise last")
    crash = frame("call", source="raise ValueError")
    assert keys(*(group(raised(*[again] * times, once, crash)) for times in (0, 1, 4))) == 1


def test_what_was_tried_again_and_failed_again_is_where_it_failed_at_first() -> None:
    main, consume, connect = frame("main"), frame("consume", source="again()"), frame("connect")
    first = raised(main, frame("consume", source="connect()"), connect, type="ConnectionError")
    again = raised(main, consume, frame("consume", source="connect()"), connect, type="ConnectionError")
    before = raised(frame("consume", source="connect()"), connect, type="ConnectionError")
    assert keys(group(first), group(again, before), group(again, before, before)) == 1


def test_two_call_sites_of_a_helper_that_wraps_are_two_incidents() -> None:
    cause, helper = (
        raised(frame("load", source="int(text)")),
        frame("load", source="raise Refused from error"),
    )
    sites = (raised(frame("pay", source=source), helper, type="Refused") for source in ("load(a)", "load(b)"))
    assert keys(*(group(site, cause) for site in sites)) == 2


def test_two_errors_of_one_cause_in_one_function_are_two_incidents() -> None:
    def refused(source: str) -> Fingerprint:
        return group(
            raised(frame("pay", source=source), type="Refused"), raised(frame("pay", source="int(text)"))
        )

    assert keys(refused("raise Refused('negative')"), refused("raise Refused('empty')")) == 2


def test_what_was_asked_for_on_the_way_is_no_cause() -> None:
    look, load = frame("get", source="return cache[key]"), frame("get", source="return load(key)")
    crash = raised(frame("main"), load, frame("load", source="raise Broken"), type="Broken")
    found = [group(crash), group(crash, raised(look, type="KeyError"))]
    assert keys(*found) == 1
    wrapped = raised(frame("main"), frame("get", source="raise Missing"), type="Missing")
    assert keys(group(wrapped), group(wrapped, raised(look, type="KeyError"))) == 2


def test_a_detail_of_an_outer_exception_tells_apart() -> None:
    texts = ("HTTP 401", "HTTP 503")
    found = [group(raised(frame("f"), type="Failed", value=text), raised(frame("f"))) for text in texts]
    assert keys(*found) == 2


def test_where_a_timeout_ended_a_wait_does_not_matter() -> None:
    def late(awaited: str, wrapper: str) -> Fingerprint:
        waits = raised(
            frame(awaited, source=f"await {awaited}()"), type="CancelledError", module="asyncio.exceptions"
        )
        library = frame(wrapper, module="asyncio.timeouts", in_app=False)
        return group(
            raised(frame("handle", source="async with timeout(1):"), library, type="TimeoutError"), waits
        )

    assert keys(late("fetch", "__aexit__"), late("store", "__aexit__"), late("store", "_exit")) == 1


@pytest.mark.parametrize("cycle", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_endless_recursion_is_one_incident_wherever_it_was_cut(cycle: list[str]) -> None:
    def endless(times: int, more: int, leaf: str) -> Fingerprint:
        calls = [*cycle * times, *cycle[:more], *([leaf] if leaf else [])]
        frames = [frame(name, source=f"call {name}") for name in ["main", *calls]]
        return group(raised(*frames, type="RecursionError", value="maximum recursion depth exceeded"))

    found = [endless(t, more, leaf) for t in (20, 33) for more in range(len(cycle)) for leaf in ("", "leaf")]
    assert keys(*found) == 1


@pytest.mark.parametrize("kind", ["RangeError", "java.lang.StackOverflowError"])
def test_endless_recursion_of_which_only_the_inner_end_is_known_is_one_incident(kind: str) -> None:
    calls = [frame(name) for name in ("visit", "descend", "leave")] * 9
    assert keys(*(group(raised(*calls[cut : cut + 10], type=kind)) for cut in range(6))) == 1


def test_a_task_that_was_stopped_for_its_time_is_one_incident_wherever_it_stood() -> None:
    stood = (frame("load", source="load()"), frame("store", source="store()"))
    found = [group(raised(frame("nightly"), each, type="SoftTimeLimitExceeded")) for each in stood]
    assert keys(*found) == 1


def test_recursion_that_ends_elsewhere_is_two_incidents() -> None:
    calls = [frame("visit", source="descend()"), frame("descend", source="visit()")]
    assert keys(group(raised(*calls * 3, frame("x"))), group(raised(*calls * 3, frame("y")))) == 2


@pytest.mark.parametrize(
    "names",
    [
        ["rule_17", "rule_4711"],
        ["task_3f9a2c7b", "task_9b1d4e2f"],
        ["Rule_3F9A2C7B.apply", "Rule_0B1D4EFF.apply"],
        ["Model17.save", "Model18.save"],
        ["make.<locals>.handler", "make.handler"],
        ["lambda$main$0", "lambda$main$12"],
        ["Order$$Lambda$123/0x0000000800c8.run", "Order$$Lambda/0x00007f1.run"],
        ["Order$$EnhancerBySpringCGLIB$$a1b2c3d4.pay", "Order$$SpringCGLIB$$0.pay", "Order.pay"],
        ["Order$ByteBuddy$kYxW9aBc.pay", "Order$ByteBuddy$Zq2.pay"],
        ["main.(*Server).handle.func1", "main.(*Server).handle.func2"],
    ],
)
def test_generated_names_do_not_split(names: list[str]) -> None:
    assert keys(*(group(raised(frame("main"), frame(name))) for name in names)) == 1


@pytest.mark.parametrize(
    "files",
    [
        [
            "/srv/rel1/templates/order.html",
            "/app/templates/order.html",
            "/srv/shop/releases/99/templates/order.html",
        ],
        ["https://cdn.example/assets/main.3f2a9c.js", "https://cdn.example/assets/main.99b1d4e2.js?v=2"],
        ["/assets/index-DiwrgTda.js", "/assets/index-Bk3PxZ9a.js"],
        ["/home/deploy/releases/20261123/app/models/order.rb", "app/models/order.rb"],
        ["C:\\shop\\1.2.0\\models\\order.cs", "C:\\shop\\1.3.0\\models\\order.cs"],
        ["/root/go/pkg/mod/github.com/acme/pay@v1.2.3/pay/charge.go", "pay@v1.10.0/pay/charge.go"],
    ],
)
def test_the_folder_of_a_release_or_a_bundles_hash_does_not_split(files: list[str]) -> None:
    assert keys(*(group(raised(frame("call", module="", file=each))) for each in files)) == 1
    assert keys(*(group(raised(frame("call", module=each))) for each in files)) == 1


def test_two_files_of_one_name_are_two_incidents() -> None:
    pages = (f"https://shop.example/api/{each}/[id]/page.tsx" for each in ("orders", "users", "v1", "v2"))
    assert keys(*(group(raised(frame("Page", module="", file=each))) for each in pages)) == 4


def test_two_files_of_one_folder_are_two_incidents() -> None:
    assert (
        keys(*(group(raised(frame("f", module="", file=f"app/{each}.rb"))) for each in ("order", "user")))
        == 2
    )


def test_what_a_person_numbered_is_told_apart() -> None:
    assert keys(group(raised(frame("pay_v1"))), group(raised(frame("pay_v2")))) == 2
    assert keys(*(group(raised(frame("f"), type=f"Http{status}")) for status in (404, 503))) == 2
    assert keys(*(group(raised(frame("f"), type=f"Phase{number}Error")) for number in (1, 2))) == 2
    assert keys(*(group(raised(frame("f"), type=f"Model_{number}_Missing")) for number in (1999, 4711))) == 1


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("org.springframework.aop.Proxy", "Proxy.java"),
        ("", "/srv/shop/node_modules/express/lib/router.js"),
        ("", "/usr/local/bundle/gems/rack-3.1.0/lib/rack.rb"),
        ("", "node:internal/process/task_queues"),
    ],
)
def test_a_library_is_known_where_its_publisher_does_not_say_so(module: str, file: str) -> None:
    main, pay = frame("main"), frame("pay")
    inside = [frame(name, module=module, file=file) for name in ("next", "moved_in_the_next_release")]
    assert keys(*(group(raised(main, each, pay)) for each in inside), group(raised(main, pay))) == 1
    assert keys(*(group(raised(each)) for each in inside)) == 2


def test_a_call_by_reflection_may_stand_between_or_not() -> None:
    accessor = frame("GeneratedMethodAccessor17.invoke", module="sun.reflect.GeneratedMethodAccessor17")
    native = frame("NativeMethodAccessorImpl.invoke0", module="jdk.internal.reflect.NativeMethodAccessorImpl")
    main, pay = frame("main"), frame("pay")
    assert keys(*(group(raised(main, *between, pay)) for between in ([], [accessor], [native, native]))) == 1


@pytest.mark.parametrize(
    "sources",
    [
        [
            'raise ValueError("no card")',
            "raise ValueError('no card')",
            'raise  ValueError( "no card" )  # sic',
        ],
        ["charge(order, card)", "charge(order, card),"],
        ["return total // count", "return  total//count"],
    ],
)
def test_the_format_of_a_line_does_not_split(sources: list[str]) -> None:
    assert keys(*(group(raised(frame("pay", source=source))) for source in sources)) == 1


def test_a_line_far_above_the_crash_may_be_edited() -> None:
    inner = [frame(name, source=f"{name}()") for name in ("load", "parse", "read", "check")]
    lines = ("run(17)", "await run(17, retry=True)")
    assert keys(*(group(raised(frame("main", source=line), *inner)) for line in lines)) == 1


def test_a_type_that_moves_inside_its_library_is_one() -> None:
    modules = ("httpx", "httpx._exceptions", "httpx.exceptions")
    assert keys(*(group(raised(frame("f"), type="ConnectError", module=each)) for each in modules)) == 1
    assert keys(*(group(raised(frame("f"), type="X", module=each)) for each in ("shop.a", "shop.b"))) == 2


def test_what_a_library_wraps_inside_itself_does_not_split() -> None:
    def failed(*inside: str) -> Fingerprint:
        site = raised(
            frame("pay", source="get(url)"), frame("get", module="requests", in_app=False), type="Failed"
        )
        library = [raised(frame("f", module="urllib3", in_app=False), type=name) for name in inside]
        return group(site, *library, raised(frame("c", module="socket", in_app=False), type="TimeoutError"))

    assert keys(failed("MaxRetryError", "NewError"), failed("MaxRetryError"), failed()) == 1


def test_groups_are_their_members_however_they_are_nested() -> None:
    one, two = raised(frame("a"), type="KeyError"), raised(frame("b"), type="OSError")

    def nested(*chains: list[GroupingException]) -> GroupingException:
        return GroupingException("ExceptionGroup", members=list(chains))

    flat, deep = nested([one], [two], [two]), nested([nested([two])], [nested([one], [nested([two])])])
    assert keys(group(flat), group(deep)) == 1
    assert keys(group(flat), group(nested([one]))) == 2


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("order 17 failed after 12.5 ms", "order <number> failed after <duration>"),
        ("user 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is gone", "user <id> is gone"),
        ("GET https://a.example/b?c=1 gave nothing", "GET <url> gave nothing"),
        ("cannot open /var/lib/shop/17.json", "cannot open <path>"),
        ("cannot open data/17.json", "cannot open <path>"),
        ("read/write and/or I/O", "read/write and/or I/O"),
        ("GET /orders?id=17&x=a failed", "GET <path> failed"),
        ("mail to bob@example.org bounced", "mail to <mail> bounced"),
        ("can't find 'bob' in \"users\"", "can't find <quoted> in <quoted>"),
        ("Datei «a b» fehlt, „c“ auch, 「d」", "Datei <quoted> fehlt, <quoted> auch, <quoted>"),
        ("late by 2026-11-23T10:00:00.123Z", "late by <date>"),
        ("expired on Sat Nov 23 2026", "expired on <date>"),
        ("expired on Mon, 7 December 2026 10:00:00 GMT", "expired on <date>"),
        ("10.0.0.1:5432 refused", "<address> refused"),
        ("worker7 died", "worker0 died"),
        ("at 0x7f3a2b deadbeefcafe0001", "at <id>"),
        ("no charge ch_3MqLiJLkdIwHu7ixraBm864M", "no charge ch_<id>"),
        ("event error_20261123_k3v9x2m7q4w8r1t6 not found", "event <id> not found"),
        ("pod api-7d9c6b5f4d-x2x9z evicted", "pod api<id> evicted"),
        ("order k3v9x2m7 missing", "order <id> missing"),
        ("WHERE id IN (1, 2, 3)", "WHERE id IN (<number>)"),
        ("VALUES ($1, $2), ($3, $4)", "VALUES ($<number>)"),
        ("ids ['a', 'b'] and [17]", "ids [<quoted>] and [<number>]"),
        ("role arn:aws:iam::123456789012:role/Admin denied", "role <arn> denied"),
        ("took 1h30m12.5s, 3 minutes and 2 seconds", "took <duration>"),
        ("of 12.5 MiB and 300 bytes", "of <size> and <size>"),
        ("user=bob id=17 state=open", "user=<value> id=<value> state=open"),
        ("the 3rd of 12 attempts, 1 item left", "the <number> of <number> attempt, <number> item left"),
        ("com.shop.Order@1b2c3d4 and com.shop.Order@5e2f", "com.shop.Order@<id> and com.shop.Order@<id>"),
        ("build a1b2c3d and abcdef1", "build <id> and <id>"),
        ("key V1StGXR8_Z5jdHi6B-myT is taken", "key <id> is taken"),
        ("version sha256:9f86d081884c7d65", "version sha0:<id>"),
        ("خطأ ٤٢", "خطأ <number>"),
        ("エラー１７", "エラー0"),
    ],
)
def test_what_varies_is_taken_out_of_a_text(text: str, normal: str) -> None:
    assert normalise(text) == normal


def test_any_number_of_things_in_a_list_is_one_text() -> None:
    for form in ("{}", "'{}'", "${}", "u-{}"):
        lists = [", ".join(map(form.format, range(length))) for length in (1, 2, 7, 500)]
        assert len({normalise(f"timeout: id IN ({each}) failed") for each in lists}) == 1


@given(st.text(max_size=300), st.integers(1, 9), st.integers(1, 9))
def test_a_digits_value_never_changes_the_normal_form(text: str, one: int, other: int) -> None:
    assert normalise(f"{text} {one}") == normalise(f"{text} {other}")


@given(st.text(max_size=2000))
def test_any_text_has_a_normal_form_of_bounded_length(text: str) -> None:
    assert len(normalise(text)) <= 512 * 10


def test_what_version_1_put_together_by_a_template_without_words_has_no_earlier_key() -> None:
    def before(template: str | None) -> Fingerprint | None:
        return earlier(
            GroupingMaterial(service="shop", category=Category.SYSTEM, message="m", template=template)
        )

    assert before("%s: %s") is None
    assert [one.version for one in (before(None), before("order {id}")) if one] == [1, 1]
