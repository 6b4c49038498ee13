"""What the tests of authentication share: a clock to set, a forge for tokens, and an issuer that can misbehave."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from typing import Any

import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

from sse_server.auth import Verifier
from sse_server.config import Auth
from sse_server.errors import Unauthenticated

SECRET = "gP1r0uJwHk3mYx7nVtQ5eZs8dLbC2aRf"
NOW = 1_800_000_000.0


class Clock:
    """Says what it is told to say."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Forge:
    """Makes tokens as an attacker would: with any header, any claims and any signature."""

    secret = SECRET

    def claims(self, **changed: object) -> dict[str, object]:
        """Good claims of ann's, with what is changed; a value of None takes one away."""
        good: dict[str, object] = {"sub": "ann", "exp": NOW + 60, "aud": "authenticated"} | changed
        return {name: value for name, value in good.items() if value is not None}

    def token(
        self,
        claims: object = None,
        *,
        header: dict[str, object] | None = None,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> str:
        """By default a good HS256 token."""
        header = {"alg": "HS256", "typ": "JWT"} | (header or {})
        body = claims if isinstance(claims, bytes) else msgspec.json.encode(self.claims() if claims is None else claims)
        signed = f"{b64(msgspec.json.encode(header))}.{b64(body)}"
        return f"{signed}.{b64((sign or self.hmac())(signed.encode()))}"

    def hmac(self, key: bytes = SECRET.encode(), digest: str = "sha256") -> Callable[[bytes], bytes]:
        return lambda signed: hmac.digest(key, signed, digest)


class Issuer:
    """A real issuer on loopback. `answer`, where set, replaces its answer; `asked` counts the requests."""

    def __init__(self) -> None:
        self.jwks: list[dict[str, Any]] = []
        self.asked = 0
        self.url = ""
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
        self._runner: web.AppRunner

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/jwks.json"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.answer:
            return await self.answer(request)
        return self.key_set()

    def private_key(self, kind: str) -> Any:
        return private_key(kind)

    def hold(self) -> tuple[asyncio.Event, asyncio.Event]:
        """Answer only when the second event is set; the first one is, when somebody asks."""
        asked, answered = asyncio.Event(), asyncio.Event()

        async def answer(_: web.Request) -> web.StreamResponse:
            asked.set()
            await answered.wait()
            return self.key_set()

        self.answer = answer
        return asked, answered

    def key_set(self) -> web.Response:
        return web.Response(body=msgspec.json.encode({"keys": self.jwks}), content_type="application/json")

    def publish(self, kind: str, kid: str | None, /, **changed: object) -> None:
        """Show a public key; a value of None takes a field away."""
        jwk = public_jwk(kind) | {"kid": kid} | changed
        self.jwks.append({name: value for name, value in jwk.items() if value is not None})

    def sign(self, kind: str, kid: str | None, claims: object = None, /, **header: object) -> str:
        """A token by the key of that kind."""
        named = {"alg": ALGORITHMS[kind]} | ({"kid": kid} if kid is not None else {}) | header
        algorithm = get_default_algorithms()[ALGORITHMS[kind]]
        return Forge().token(claims, header=named, sign=lambda signed: algorithm.sign(signed, private_key(kind)))


ALGORITHMS = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA", "other rsa": "RS256", "weak rsa": "RS256"}


@cache
def private_key(kind: str) -> Any:
    match kind:
        case "ec":
            return ec.generate_private_key(ec.SECP256R1())
        case "ed":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65_537, 1024 if kind == "weak rsa" else 2048)


def public_jwk(kind: str) -> dict[str, Any]:
    to_jwk: Any = {"ec": ECAlgorithm.to_jwk, "ed": OKPAlgorithm.to_jwk}.get(kind, RSAAlgorithm.to_jwk)
    jwk: dict[str, Any] = to_jwk(private_key(kind).public_key(), as_dict=True)
    return {name: value for name, value in jwk.items() if name != "key_ops"}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge()


@pytest.fixture
def rules() -> Auth:
    """Settings of a server that takes HS256 tokens."""
    return Auth(jwt_secret=SECRET)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    await issuer.start()
    yield issuer
    await issuer.stop()


@pytest.fixture
def ticks() -> Clock:
    """The clock by which an issuer's keys grow old."""
    return Clock(1000.0)


@pytest.fixture
async def by_keys(issuer: Issuer, clock: Clock, ticks: Clock) -> AsyncIterator[Verifier]:
    """A verifier that takes the issuer's tokens."""
    verifier = Verifier(Auth(jwks_url=issuer.url), clock=clock)
    assert verifier._keys
    verifier._keys._clock = ticks
    yield verifier
    await verifier.close()


@pytest.fixture
def user(by_keys: Verifier) -> Callable[[str], Awaitable[str]]:
    """Whose token it is, or that it is nobody's."""

    async def user(token: str) -> str:
        try:
            return (await by_keys.verify(token)).user
        except Unauthenticated:
            return "refused"

    return user


@pytest.fixture
def fetched(by_keys: Verifier) -> Callable[[], Awaitable[None]]:
    """Waits for what is fetched in the background."""

    async def fetched() -> None:
        assert by_keys._keys
        assert by_keys._keys._fetching
        await by_keys._keys._fetching

    return fetched
