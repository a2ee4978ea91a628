"""Which events were one incident by version 1, whose keys stored incidents are found by."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.grouping.material import (
    Fingerprint,
    GroupingException,
    GroupingFrame,
    GroupingMaterial,
)
from faultwire_consumer.domain.grouping.version_1 import compute
from faultwire_consumer.domain.grouping.version_1_text import normalise
from faultwire_shared.event import Category

KEYS = [
    "6218c3c53d2c9ac337cbfc5e50c64ce8",
    "faec358bb0832094ab781e773dd9ea3c",
    "a561cc855a7285c9c5f837bf11f0f23d",
    "3d2c06e586c243760d71a22e54d0bc75",
    "376b0a1f218cee929ac7bc8b24e1ab4e",
    "1a7f393ffc0da65bf5dd574b5f7798c6",
]
"""Keys of six events as the first release stored them."""


def frame(
    qualname: str, *, source: str = "", module: str = "shop.orders", in_app: bool = True
) -> GroupingFrame:
    return GroupingFrame(module, qualname, "", in_app, [source] if source else [])


def raised(
    *frames: GroupingFrame,
    type: str = "ValueError",  # noqa: A002 - named as on the wire
    value: str = "",
    attributes: dict[str, object] | None = None,
) -> GroupingException:
    return GroupingException(type, "builtins", value, dict(attributes or {}), list(frames))


def group(
    *chain: GroupingException,
    service: str = "shop",
    code: str = "",
    message: str = "",
    template: str | None = None,
    explicit: Sequence[str] = (),
) -> Fingerprint:
    return compute(
        GroupingMaterial(
            service=service,
            category=Category.SYSTEM,
            code=code,
            message=message,
            template=template,
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


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("order 17 failed after 12.5 ms", "order <number> failed after <duration>"),
        ("user 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is gone", "user <uuid> is gone"),
        ("GET https://a.example/b?c=1 gave nothing", "GET <url> gave nothing"),
        ("cannot open /var/lib/shop/17.json", "cannot open <path>"),
        ("mail to bob@example.org bounced", "mail to <mail> bounced"),
        ("can't find 'bob' in \"users\"", "can't find <quoted> in <quoted>"),
        ("late by 2026-11-23T10:00:00.123Z", "late by <date>"),
        ("10.0.0.1:5432 refused", "<address> refused"),
        ("worker7 died", "worker0 died"),
        ("at 0x7f3a2b deadbeefcafe0001", "at <hex> <hex>"),
    ],
)
def test_what_varies_is_taken_out_of_a_text(text: str, normal: str) -> None:
    assert normalise(text) == normal


@given(st.text(max_size=300), st.integers(1, 9), st.integers(1, 9))
def test_a_digits_value_never_changes_the_normal_form(text: str, one: int, other: int) -> None:
    assert normalise(f"{text} {one}") == normalise(f"{text} {other}")


@given(st.text(max_size=2000))
def test_any_text_has_a_normal_form_of_bounded_length(text: str) -> None:
    assert len(normalise(text)) <= 512 * 10


def test_the_keys_of_version_1_are_the_stored_ones() -> None:
    raised_at = raised(
        frame("main", source="main()"),
        frame("Cart.pay.<locals>.charge", source="gateway.charge(order)"),
        frame("post", module="httpx._client", in_app=False),
        type="HTTPStatusError",
        value="503",
        attributes={"http_status": 503},
    )
    without_frames = GroupingException("ValueError", "builtins", "no row 17 of 'x'")
    group_of_two = GroupingException("ExceptionGroup", members=[[raised(frame("a"))], [without_frames]])
    outer = raised(frame("pay"), type="GatewayError")
    keys = [
        group(outer, raised_at, code="CARD_GATEWAY_DOWN").key.hex(),
        group(without_frames).key.hex(),
        group(group_of_two).key.hex(),
        group(message="order 17 of 'bob' at 2026-11-23T10:00:00Z failed after 3 ms").key.hex(),
        group(message="m", template="order {id}").key.hex(),
        group(raised_at, explicit=["{{ default }}", "eu"]).key.hex(),
    ]
    assert keys == KEYS
