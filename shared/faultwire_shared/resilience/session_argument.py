"""Arguments of an ``aiohttp.ClientSession``, so that type checkers find a wrong name or value."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypedDict

import aiohttp
from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import JSONEncoder, LooseCookies, LooseHeaders, StrOrURL


class SessionArguments(TypedDict, total=False):
    """The arguments of ``aiohttp.ClientSession``, all by name, except those that aiohttp will remove."""

    base_url: StrOrURL | None
    connector: aiohttp.BaseConnector | None
    cookies: LooseCookies | None
    headers: LooseHeaders | None
    proxy: StrOrURL | None
    proxy_auth: aiohttp.BasicAuth | None
    skip_auto_headers: Iterable[str] | None
    auth: aiohttp.BasicAuth | None
    json_serialize: JSONEncoder
    json_serialize_bytes: Callable[[Any], bytes] | None
    request_class: type[aiohttp.ClientRequest]
    response_class: type[aiohttp.ClientResponse]
    ws_response_class: type[aiohttp.ClientWebSocketResponse]
    version: aiohttp.HttpVersion
    cookie_jar: AbstractCookieJar | None
    connector_owner: bool
    raise_for_status: bool | Callable[[aiohttp.ClientResponse], Awaitable[None]]
    timeout: aiohttp.ClientTimeout
    auto_decompress: bool
    trust_env: bool
    requote_redirect_url: bool
    trace_configs: list[aiohttp.TraceConfig] | None
    read_bufsize: int
    max_line_size: int
    max_field_size: int
    max_headers: int
    fallback_charset_resolver: Callable[[aiohttp.ClientResponse, bytes], str]
    middlewares: Sequence[aiohttp.ClientMiddlewareType]
