"""A watch over an application's answers: each must be one that the API's description allows."""

from collections.abc import Mapping
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it comes without stubs
import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from faultwire_consumer.web.openapi.document import DESCRIBED, path_of
from faultwire_consumer.web.openapi.served import OPEN_API


class AnswerWatch:
    """Compares each answer with the description; what does not fit is kept for the end of the test."""

    def __init__(self) -> None:
        self.misfits: list[str] = []
        self._validators: dict[tuple[str, ...], Any] = {}

    @property
    def middleware(self) -> Middleware:
        """To be put around every other, so that it sees what clients see."""

        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            path = path_of(request.match_info.route)
            if path.startswith(DESCRIBED) and response.status < 499:  # 499: nobody is left to read it
                self._compare(request, path, response)
            return response

        return watch

    def _compare(self, request: web.Request, path: str, response: web.StreamResponse) -> None:
        document = request.app[OPEN_API].document
        method = "get" if request.method == hdrs.METH_HEAD else request.method.lower()
        where = f"{method} {path} {response.status}"
        described = document["paths"][path][method]["responses"].get(str(response.status))
        if described is None:
            self.misfits.append(f"{where} is not described")
            return
        content = described.get("content", {})
        if response.content_type not in content and (content or _body_of(response)):
            self.misfits.append(f"{where} is {response.content_type}, not one of {sorted(content)}")
            return
        if response.content_type.endswith(("/json", "+json")):
            key = (path, method, str(response.status), response.content_type)
            validator = self._validators.get(key) or self._build(key, document, content)
            self._validators[key] = validator
            body = msgspec.json.decode(_body_of(response))
            self.misfits += [
                f"{where}: {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(body)
            ]

    def _build(self, key: tuple[str, ...], document: Mapping[str, Any], content: Mapping[str, Any]) -> Any:
        schema = {**content[key[-1]]["schema"], "components": document["components"]}
        return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def _body_of(response: web.StreamResponse) -> bytes:
    body = response.body if isinstance(response, web.Response) else b""
    return body if isinstance(body, bytes) else b""
