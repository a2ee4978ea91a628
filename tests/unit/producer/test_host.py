"""What the web hosts share: one scope for a request, and what of it may travel."""

from typing import Any

from faultwire import ErrorManager, InternalError, NotFoundError
from faultwire.capture import scope
from faultwire.capture.scope import Surroundings
from faultwire.integrations import host

HEADERS = [
    ("Cookie", "session=secret"),
    ("authorization", "Bearer secret"),
    ("Proxy-Authorization", "Basic secret"),
    ("X-Forwarded-For", "203.0.113.9"),
    ("Forwarded", "for=203.0.113.9"),
    ("Accept", "text/html"),
    ("ACCEPT", "*/*"),
]


def described(errors: ErrorManager, query: str = "") -> dict[str, Any]:
    return host.describe_request(
        errors, method="GET", url="http://shop/", query=query, headers=HEADERS, client="203.0.113.9"
    )


def say_nothing(request: object) -> Surroundings:
    return Surroundings()


def test_credentials_and_addresses_stay_here() -> None:
    assert described(ErrorManager(service="shop")) == {
        "method": "GET",
        "url": "http://shop/",
        "headers": {"accept": "text/html, */*"},
    }


def test_an_address_travels_where_the_manager_says_so_and_credentials_never_do() -> None:
    found = described(ErrorManager(service="shop", send_default_pii=True))
    assert (found["client_address"], found["headers"]["x-forwarded-for"]) == ("203.0.113.9", "203.0.113.9")
    assert "secret" not in str(found)


def test_a_query_is_taken_apart_so_that_each_argument_can_be_judged_by_its_name() -> None:
    query = "page=2&tag=a&tag=b&tag=c&empty=&text=a%20b+c"
    found = described(ErrorManager(service="shop"), query)["query"]
    assert found == {"page": "2", "tag": ["a", "b", "c"], "empty": "", "text": "a b c"}


def test_a_query_of_any_length_is_read_no_further_than_it_travels() -> None:
    found = described(ErrorManager(service="shop"), "&".join(f"k{number}=v" for number in range(100_000)))
    assert len(found["query"]) == 100


def test_a_request_without_an_error_is_never_read() -> None:
    def read(request: str) -> Surroundings:
        raise AssertionError(request)

    with host.begin("request", read):
        pass


def test_an_application_within_another_goes_on_with_the_same_request() -> None:
    request = object()
    with host.begin(request, say_nothing):
        ErrorManager(service="shop").bind(tenant="acme")
        with host.begin(request, say_nothing):
            assert scope.current().tags == {"tenant": "acme"}
        with host.begin(object(), say_nothing):
            assert scope.current().tags == {}


def test_what_says_how_to_answer_is_handled_and_a_failure_of_ours_is_not() -> None:
    taken: list[bool] = []

    class Taking(ErrorManager):
        def handle_once(self, *given: Any, **extra: Any) -> Any:
            taken.append(extra["handled"])

    errors = Taking(service="shop")
    for error in (NotFoundError("no order"), InternalError("broken"), LookupError("unknown")):
        host.take(errors, error)
    assert taken == [True, False, False]


def test_a_group_of_one_is_that_one_and_of_two_is_a_group() -> None:
    one, two = LookupError("one"), LookupError("two")
    pair = ExceptionGroup("pair", [one, two])
    assert host.lone(ExceptionGroup("outer", [ExceptionGroup("inner", [one])])) is one
    assert host.lone(pair) is pair
