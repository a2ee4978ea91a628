"""Links that lead out never lead anywhere but to their template's host, whatever an event says."""

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.links.source import (
    EXAMPLE,
    FIELDS,
    URL_CHARACTERS,
    SourceLinks,
    read_source_template,
    repository_path,
    source_url,
)
from faultwire_consumer.domain.links.template import fill, read_template
from faultwire_shared.event import Frame

TEMPLATE = read_source_template(EXAMPLE)
HOSTILE = (
    *("javascript:alert(1)", "//evil.example/x", "/\\evil.example", "..", "../../admin", "%2e%2e", ".%2E"),
    *(
        "@evil.example",
        "evil.example:80/",
        "a b",
        "\t",
        "\n",
        "\x00",
        "\u202e",
        "#x",
        "?y=1&z=2",
        '"><script>',
    ),
    *("\ud800", "é", "{path}", "{line}", "https://evil.example/", "\\\\evil\\share", "C:\\x.py", "."),
)
texts = st.text(max_size=40) | st.sampled_from(HOSTILE)
pieces = st.sampled_from(
    ["/", "?", "#", "a", "-", ".", "..", "%2e", "=", "&", ":", "@", *(f"{{{name}}}" for name in FIELDS)]
)


@given(
    st.lists(pieces, max_size=12),
    st.builds(Frame, file=texts, module=texts, line=st.integers(-1, 2**40), in_app=st.booleans()),
    texts,
    st.none() | texts,
)
def test_no_template_and_no_frame_lead_anywhere_but_to_the_template_s_host(
    rest: list[str], frame: Frame, service: str, release: str | None
) -> None:
    text = "https://git.example/" + "".join(rest)
    try:
        template = read_source_template(text)
    except ValueError:
        return
    url = source_url(template, frame, service=service, release=release)
    if url is None:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "git.example")
    assert url.startswith("https://git.example/")
    assert url.isascii()
    assert url.isprintable()
    assert not set(' "<>\\^`{|}') & set(url)
    assert not {".", ".."} & {unquote(segment) for segment in parts.path.split("/")}
    assert len(url) <= URL_CHARACTERS
    assert frame.in_app


@given(st.dictionaries(st.sampled_from(["title", "body"]), texts))
def test_whatever_is_filled_into_a_query_comes_back_as_it_was(values: dict[str, str]) -> None:
    template = read_template("https://t.example/new?t={title}&b={body}", ("title", "body"), example="")
    url = fill(template, values, most=10_000)
    assert url is not None
    read = parse_qs(urlsplit(url).query, keep_blank_values=True)
    for name, key in (("title", "t"), ("body", "b")):
        assert read[key] == [values.get(name, "").encode("utf-8", "replace").decode()]


@pytest.mark.parametrize(
    ("frame", "url"),
    [
        (Frame(file="shop/app.py", line=7), "https://git.example/shop/blob/v1%2B2/shop/app.py#L7"),
        (Frame(file="shop\\app.py", line=7), "https://git.example/shop/blob/v1%2B2/shop/app.py#L7"),
        (Frame(file="a b/é#?.py", line=1), "https://git.example/shop/blob/v1%2B2/a%20b/%C3%A9%23%3F.py#L1"),
        (Frame(file="shop/app.py", line=7, in_app=False), None),
        (Frame(file="shop/app.py", line=0), None),
        (Frame(file="/srv/shop/app.py", line=7), None),
        (Frame(file="shop/../../etc/passwd", line=7), None),
        (Frame(file="x/site-packages/y.py", line=7), None),
        (Frame(file="C:\\shop\\app.py", line=7), None),
        (Frame(file="~/app.py", line=7), None),
        (Frame(file="<string>", line=7), None),
        (Frame(file="file:///etc/passwd", line=7), None),
        (Frame(file="a//b.py", line=7), None),
        (Frame(file="a" * 1001, line=7), None),
        (Frame(file="", line=7), None),
        (Frame(file="a\u202eb.py", line=7), None),
    ],
)
def test_a_frame_of_one_s_own_in_a_repository_has_the_address_of_its_line(
    frame: Frame, url: str | None
) -> None:
    assert source_url(TEMPLATE, frame, service="shop", release="v1+2") == url


@pytest.mark.parametrize("release", [None, "", "..", "\x07"])
def test_a_release_that_is_not_known_or_leads_away_is_not_linked(release: str | None) -> None:
    frame = Frame(file="shop/app.py", line=7)
    assert source_url(TEMPLATE, frame, service="shop", release=release) is None


def test_what_the_template_does_not_ask_for_may_be_missing() -> None:
    template = read_source_template("https://git.example/{service}/{module}")
    frame = Frame(module="shop.app")
    url = source_url(template, frame, service="pay/ments", release=None)
    assert url == "https://git.example/pay%2Fments/shop.app"


def test_a_path_in_a_query_has_its_slashes_encoded() -> None:
    template = read_source_template("https://dev.example/_git/shop?path=/{path}&line={line}")
    url = source_url(template, Frame(file="shop/app.py", line=7), service="shop", release=None)
    assert url == "https://dev.example/_git/shop?path=/shop%2Fapp.py&line=7"


def test_a_service_has_its_own_template_before_the_usual_one() -> None:
    own = read_source_template("https://pay.example/{path}")
    links = SourceLinks(TEMPLATE, {"billing": own})
    frame = Frame(file="app.py", line=1)
    assert links.url_of(frame, service="billing", release=None) == "https://pay.example/app.py"
    assert links.url_of(frame, service="shop", release="1") == "https://git.example/shop/blob/1/app.py#L1"
    assert SourceLinks().url_of(frame, service="shop", release="1") is None


def test_a_repository_s_path_keeps_what_is_odd_but_harmless() -> None:
    assert repository_path("src/a-b_c@2/x.py") == "src/a-b_c@2/x.py"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ftp://git.example/{path}", "not an address of http or https"),
        ("javascript:alert('{path}')", "not an address of http or https"),
        ("git.example/{path}", "not an address of http or https"),
        ("https://{service}.example/{path}", "needs a host without fields"),
        ("https://git.example{path}", "needs a host without fields"),
        ("https://git.example?{path}", "needs a host without fields"),
        ("https://user:secret@git.example/{path}", "needs a host without fields or a user"),
        ("https:///{path}", "needs a host"),
        ("https://git.example:99999/{path}", "needs a host"),
        ("https://git.example/{pth}", "unknown field {pth}; did you mean path?"),
        ("https://git.example/{path!r}", "unknown field {path!r}"),
        ("https://git.example/{path", "without its other"),
        ("https://git.example/a b/{path}", "percent-encode"),
        ("https://git.example/" + "a" * 2000 + "{path}", "at most 2000 characters"),
        ("https://git.example/{release}", "needs {path} or {module}"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_what_would_do(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as raised:
        read_source_template(text)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://[::1]:8443", "HTTPS://Git.Example"])
def test_ports_numbers_and_capitals_are_hosts_too(origin: str) -> None:
    template = read_source_template(f"{origin}/{{path}}")
    url = source_url(template, Frame(file="x.py"), service="s", release=None)
    assert url == f"{origin.lower()}/x.py"
