"""A provider of the tests' own, on loopback by real HTTP: it signs what a test tells it to."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from aiohttp import BasicAuth, web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from tests.tools.clock import FixedClock

CLIENT: Final = "faultwire"
CLIENT_SECRET: Final = "what the provider knows it by"  # noqa: S105 - a test's own


class Provider:
    """Answers as OpenID Connect has it, but for what a test changes."""

    def __init__(self, clock: FixedClock) -> None:
        self.issuer = ""
        self.keys: dict[str, RSAKey | ECKey] = {"first": _new_key("first")}
        self.signing: RSAKey | ECKey = self.keys["first"]
        self.algorithm = "ES256"
        self.claims: dict[str, Any] = {"sub": "ada-1", "preferred_username": "ada", "groups": ["dev"]}
        """Of the next ID token, over those that are right."""
        self.without: set[str] = set()
        self.answers: dict[str, Any] = {}
        """By path, a document in place of the right one."""
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self._clock = clock
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discover)
        app.router.add_get("/keys", self._show_keys)
        app.router.add_post("/token", self._exchange)
        return app

    def new_key(self, kid: str) -> None:
        """Sign by another key from now on; the keys before are no longer shown."""
        self.keys = {kid: _new_key(kid)}
        self.signing = self.keys[kid]

    def consent(self, location: str) -> dict[str, str]:
        """Let the person in who was sent here; the parameters with which the browser goes back."""
        asked = dict(parse_qsl(urlsplit(location).query))
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        kid = getattr(self.signing, "kid", None)
        return jwt.encode(
            {"alg": self.algorithm, "kid": kid} | header, claims, self.signing, algorithms=[self.algorithm]
        )

    def id_claims(self, nonce: str) -> dict[str, Any]:
        now: datetime = self._clock()
        right = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=5)).timestamp()),
            "nonce": nonce,
        }
        whole = right | self.claims
        return {name: value for name, value in whole.items() if name not in self.without}

    async def _discover(self, request: web.Request) -> web.Response:
        right = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?realm=main",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return self._answer(request, right)

    async def _show_keys(self, request: web.Request) -> web.Response:
        shown = [key.as_dict(private=False) for key in self.keys.values()]
        odd = [{"kty": "oct", "k": "AAAA", "kid": "x"}, {"kty": "AKP"}, {"use": "enc"}, "no key"]
        return self._answer(request, {"keys": [*odd, *shown]})

    async def _exchange(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        asked = self._codes.pop(form["code"], None)
        auth = (
            BasicAuth.decode(request.headers["Authorization"]) if "Authorization" in request.headers else None
        )
        proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        is_right = (
            asked is not None
            and asked["code_challenge"] == proof.decode().rstrip("=")
            and asked["code_challenge_method"] == "S256"
            and asked["redirect_uri"] == form["redirect_uri"]
            and (auth is None or auth.password.replace("+", " ") == CLIENT_SECRET)
        )
        if not is_right or asked is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return self._answer(request, {"id_token": self.sign(self.id_claims(asked["nonce"]))})

    def _answer(self, request: web.Request, right: dict[str, Any]) -> web.Response:
        self.asked.append(request.path)
        given = self.answers.get(request.path, right)
        return given if isinstance(given, web.Response) else web.json_response(given)


@asynccontextmanager
async def providing(clock: FixedClock) -> AsyncIterator[Provider]:
    """Serve one."""
    provider = Provider(clock)
    async with TestServer(provider.app()) as server:
        provider.issuer = str(server.make_url("")).rstrip("/")
        yield provider


def _new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})
