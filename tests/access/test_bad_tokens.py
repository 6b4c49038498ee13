"""Forged and spoilt tokens at the real doors: each is 401, with the same words, and nobody is anonymous by accident."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Awaitable, Callable

import jwt
import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from tests.access.place import ANN, SECRET, Place, token

RSA = rsa.generate_private_key(65_537, 2048)
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
JWK = {"kty": "oct", "k": base64.urlsafe_b64encode(b"x" * 32).rstrip(b"=").decode()}


def forged(
    header: dict[str, object] | None = None, key: bytes = SECRET.encode(), digest: str = "sha256", **claims: object
) -> str:
    """A token as an attacker would make it; a claim of None is left out, without a key so is the signature."""
    said: dict[str, object] = {"sub": "ann", "aud": "authenticated", "exp": time.time() + 600} | claims
    parts = ({"alg": "HS256", "typ": "JWT"} | (header or {}), {name: it for name, it in said.items() if it is not None})
    signed = ".".join(b64(msgspec.json.encode(part)) for part in parts)
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), digest)) if key else ''}"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(alg: str | None) -> Callable[[], str]:
    return lambda: forged({"alg": alg}, b"")


def mixed() -> str:
    """The header and signature of a good token around somebody else's claims."""
    header, _, signature = ANN.split(".")
    return ".".join((header, forged(sub="root").split(".")[1], signature))


FORGED: dict[str, Callable[[], str]] = {
    **{f"alg {alg!r}": unsigned(alg) for alg in ("none", "None", "NONE", "nOnE", "", None)},
    "signed, but alg none": lambda: forged({"alg": "none"}),
    "a public key as the secret": lambda: forged(key=PEM),
    "RS256 by our secret": lambda: forged({"alg": "RS256"}),
    "HS384": lambda: forged({"alg": "HS384"}, digest="sha384"),
    "HS512": lambda: forged({"alg": "HS512"}, digest="sha512"),
    "another secret": lambda: forged(key=b"x" * 32),
    "crit": lambda: forged({"crit": ["exp"]}),
    "its own jwk": lambda: forged({"jwk": JWK}, b"x" * 32),
    "its own jku": lambda: forged({"jku": "http://127.0.0.1:1/jwks", "kid": "a"}, b"x" * 32),
    "its own x5u": lambda: forged({"x5u": "http://127.0.0.1:1/x5u"}, b"x" * 32),
    "a kid that is a path": lambda: forged({"kid": "../../dev/null"}, b""),
    "no exp": lambda: forged(exp=None),
    "no sub": lambda: forged(sub=None),
    "no aud": lambda: forged(aud=None),
    "sub is a number": lambda: forged(sub=1),
    "sub is empty": lambda: forged(sub=""),
    "sub breaks lines": lambda: forged(sub="ann\nroot"),
    "exp is a text": lambda: forged(exp="9999999999"),
    "exp is true": lambda: forged(exp=True),
    "expired": lambda: forged(exp=time.time() - 1),
    "not yet": lambda: forged(nbf=time.time() + 60),
    "made in the future": lambda: forged(iat=time.time() + 60),
    "aud of another service": lambda: forged(aud="another"),
    "aud is a number": lambda: forged(aud=1),
    "iss of another": lambda: forged(iss="https://evil.example.com"),
    "giant": lambda: forged(pad="x" * 7000)[:8100],
    "two tokens": lambda: f"{ANN},{ANN}",
    "four parts": lambda: f"{ANN}.x",
    "no JSON": lambda: "a.b.c",
    "a spoilt signature": lambda: ANN[:-2] + ("aa" if ANN[-2:] != "aa" else "bb"),
    "another's claims, our signature": mixed,
}

PLACES: dict[str, Callable[[str], dict[str, str]]] = {
    "Authorization": lambda bad: {"Authorization": f"Bearer {bad}"},
    "authorization in small letters": lambda bad: {"authorization": f"bearer {bad}"},
    "X-Auth-Token": lambda bad: {"X-Auth-Token": bad},
    "cookie": lambda bad: {"Cookie": f"access_token={bad}"},
    "the chat document's cookie": lambda bad: {"Cookie": f"vana_access_token={bad}"},
}


@pytest.mark.parametrize("where", PLACES)
async def test_every_forged_token_is_refused_in_the_same_words(place_with_issuer: Place, where: str) -> None:
    place = place_with_issuer
    good = PLACES[where](token("ann", iss="https://issuer.example.com"))
    assert (await place.ask("GET", "/api/jobs", headers=good)).status == 200
    words = set()
    for name, forge in FORGED.items():
        for method in ("GET", "POST"):
            sent = PLACES[where](forge()) | {"X-Request-Id": "r", "Sec-Fetch-Site": "same-origin"}
            answer = await place.ask(method, "/api/jobs", headers=sent, json={"agent": "echo", "input": {}})
            assert answer.told == (401, "unauthenticated"), name
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            words.add(answer.body)
    nothing = await place.ask("GET", "/api/jobs", headers={"X-Request-Id": "r"})
    assert words == {nothing.body}, "the cause is for the log alone"
    assert (await place.ask("GET", "/api/jobs", headers=good)).json["jobs"] == [], "nothing was started"


async def test_an_issuers_keys_are_asked_for_and_never_a_tokens_own(
    open_place: Callable[..., Awaitable[Place]],
) -> None:
    """Its public key is no secret, and a server that has never seen its keys says so: nobody is refused for that."""
    asked = []

    async def keys(request: web.Request) -> web.Response:
        asked.append(request.path)
        if len(asked) == 1:
            return web.Response(status=500)
        return web.json_response({"keys": [RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "a"}]})

    app = web.Application()
    app.router.add_get("/{path:.*}", keys)
    issuer = web.AppRunner(app)
    await issuer.setup()
    try:
        await web.TCPSite(issuer, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{issuer.addresses[0][1]}"
        claims = {"sub": "ann", "aud": "authenticated", "exp": time.time() + 600}
        good = jwt.encode(claims, RSA, algorithm="RS256", headers={"kid": "a"})
        tricks = [
            forged({"kid": "a"}, PEM),
            forged({"alg": "RS256", "kid": "a"}, PEM),
            forged({"alg": "RS256", "kid": "a", "jku": f"{address}/evil"}),
            forged({"alg": "RS256", "x5u": f"{address}/evil"}),
            ANN,
        ]
        rules = {"jwt_secret": "", "jwks_url": f"{address}/jwks"}
        away = await open_place(auth=rules)
        unknown = await away.ask("GET", "/api/jobs", good)
        assert unknown.told == (503, "unavailable")
        async with away.stream("/api/jobs/any/stream", good) as reading:
            assert (await reading.next())["type"] == "reconnect", "a browser would not return from a 503"
        place = await open_place(auth=rules)
        assert (await place.ask("GET", "/api/jobs", good)).status == 200
        for trick in tricks:
            assert (await place.ask("GET", "/api/jobs", trick)).told == (401, "unauthenticated")
        assert set(asked) == {"/jwks"}
    finally:
        await issuer.cleanup()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Auth-Token": ANN, "Authorization": "Bearer x"},
        {"X-Auth-Token": "x", "Cookie": f"access_token={ANN}"},
        {"X-Auth-Token": "", "Cookie": f"access_token={ANN}"},
        {"Authorization": "Bearer ", "Cookie": f"access_token={ANN}"},
        {"Authorization": ANN},
        {"Authorization": f"Token {ANN}"},
        {"Authorization": f"Bearer{ANN}"},
        {"Cookie": f"ACCESS_TOKEN={ANN}"},
        {"Cookie": f"other={ANN}"},
    ],
)
async def test_a_bad_token_is_not_helped_by_a_good_one_elsewhere(place: Place, headers: dict[str, str]) -> None:
    assert (await place.ask("GET", "/api/jobs", headers=headers)).told == (401, "unauthenticated")


@pytest.mark.parametrize("query", ["token", "access_token", "auth", "jwt", "ticket"])
async def test_a_token_in_an_address_is_none(place: Place, query: str) -> None:
    job = await place.ended(ANN)
    for path in ("/api/jobs", f"{job}/stream", f"{job}/events"):
        assert (await place.ask("GET", f"{path}?{query}={ANN}")).told == (401, "unauthenticated")


async def test_a_token_that_the_server_remembers_still_expires(place: Place) -> None:
    short = token("ann", 1.2)
    assert (await place.ask("GET", "/api/jobs", short)).status == 200
    job = await place.start(ANN)
    async with place.stream(f"{job}/stream", short) as reading:
        await reading.until("reconnect")
    assert (await place.ask("GET", "/api/jobs", short)).told == (401, "unauthenticated")
