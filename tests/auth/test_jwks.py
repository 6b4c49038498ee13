"""Tokens by an issuer's keys: which are taken, and what happens when the issuer is away, slow, or talks nonsense."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sse_server.auth import Verifier
from sse_server.auth.jwks import FRESH, MAX_BYTES, MAX_KEYS, REST, Keys, usable_keys
from sse_server.config import Auth
from sse_server.errors import Unauthenticated, Unavailable

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def verifier(issuer: Any, clock: Callable[[], float]) -> AsyncIterator[Verifier]:
    verifier = Verifier(Auth(jwks_url=issuer.url), clock=clock)
    yield verifier
    await verifier.close()


class Ticks:
    """A monotonic clock that moves when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks(verifier: Verifier) -> Ticks:
    """The clock of the verifier's keys."""
    ticks = Ticks()
    assert verifier._keys
    verifier._keys._clock = ticks
    return ticks


async def fetched(verifier: Verifier) -> None:
    """Wait for what is fetched in the background."""
    assert verifier._keys
    assert verifier._keys._fetching
    await verifier._keys._fetching


async def user(verifier: Verifier, token: str) -> str:
    """Whose token it is, or that it is nobody's."""
    try:
        return (await verifier.verify(token)).user
    except Unauthenticated:
        return "refused"


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed"])
async def test_each_kind_of_key_verifies_its_tokens(kind: str, issuer: Any, verifier: Verifier) -> None:
    issuer.publish(kind, "k1")
    assert await user(verifier, issuer.sign(kind, "k1")) == "ann"
    assert issuer.asked == 1


async def test_the_claims_are_judged_as_with_a_secret(issuer: Any, verifier: Verifier, forge: Any, clock: Any) -> None:
    issuer.publish("ec", "k1")
    for wrong in ({"sub": None}, {"exp": None}, {"aud": "other"}, {"exp": clock.now - 11}, {"nbf": clock.now + 11}):
        assert await user(verifier, issuer.sign("ec", "k1", forge.claims(**wrong))) == "refused"


@pytest.mark.parametrize(
    "alg", ["none", "None", "HS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "", None, [], {}]
)
async def test_the_key_says_by_which_algorithm_and_not_the_token(alg: object, issuer: Any, verifier: Verifier) -> None:
    issuer.publish("rsa", "k1")
    issuer.publish("ec", "k2")
    assert await user(verifier, issuer.sign("rsa", "k1", alg=alg)) == "refused"
    assert await user(verifier, issuer.sign("rsa", "k2")) == "refused"
    assert await user(verifier, issuer.sign("ec", "k1")) == "refused"


async def test_a_public_key_is_no_secret(issuer: Any, verifier: Verifier, forge: Any) -> None:
    """Key confusion: HS256 with what everybody can download, in each spelling, as the secret."""
    issuer.publish("rsa", "k1")
    public = issuer.private_key("rsa").public_key()
    spellings = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        issuer.jwks[0]["n"].encode(),
        msgspec.json.encode(issuer.jwks[0]),
    ]
    for key in spellings:
        for alg in ("HS256", "RS256"):
            token = forge.token(header={"alg": alg, "kid": "k1"}, sign=forge.hmac(key))
            assert await user(verifier, token) == "refused"


async def test_a_key_that_the_token_brings_along_is_not_looked_at(issuer: Any, verifier: Verifier) -> None:
    """And its address is never asked: `jku` and `x5u` are the attacker's own."""
    evil = type(issuer)()
    await evil.start()
    evil.publish("other rsa", "k1")
    issuer.publish("rsa", "k1")
    try:
        for header in ({"jwk": evil.jwks[0]}, {"jku": evil.url}, {"x5u": evil.url}, {"x5c": ["MIIB"], "x5t": "x"}):
            for kid in ("k1", "k2", evil.url):
                assert await user(verifier, issuer.sign("other rsa", kid, **header)) == "refused"
            assert await user(verifier, issuer.sign("rsa", "k1", **header)) == "ann"
        claims = {"sub": "ann", "exp": 1_900_000_000, "aud": "authenticated", "iss": evil.url}
        assert await user(verifier, issuer.sign("other rsa", "k1", claims)) == "refused"
        assert evil.asked == 0
    finally:
        await evil.stop()


async def test_a_token_without_a_key_id_needs_an_issuer_with_one_key(
    issuer: Any, verifier: Verifier, ticks: Ticks
) -> None:
    issuer.publish("rsa", "k1")
    issuer.publish("ec", None)
    assert await user(verifier, issuer.sign("rsa", None)) == "ann"
    assert await user(verifier, issuer.sign("ec", None)) == "ann"
    issuer.publish("other rsa", "k2")
    ticks.now += FRESH
    await user(verifier, issuer.sign("ec", None))
    await fetched(verifier)
    assert await user(verifier, issuer.sign("rsa", None)) == "refused"
    assert await user(verifier, issuer.sign("ec", None)) == "ann"


@pytest.mark.parametrize("kid", [7, None, ["k1"], {"k1": 1}, True])
async def test_a_key_id_of_the_wrong_type(kid: object, issuer: Any, verifier: Verifier) -> None:
    issuer.publish("rsa", "k1")
    assert await user(verifier, issuer.sign("rsa", "k1", kid=kid)) == "refused"


async def test_many_callers_wait_for_one_fetch(issuer: Any, verifier: Verifier) -> None:
    issuer.publish("ec", "k1")
    tokens = [issuer.sign("ec", "k1") for _ in range(50)]
    assert await asyncio.gather(*(user(verifier, token) for token in tokens)) == ["ann"] * 50
    assert issuer.asked == 1


async def test_a_caller_who_gives_up_does_not_take_the_others_along(issuer: Any, verifier: Verifier) -> None:
    answered, arrived = asyncio.Event(), asyncio.Event()
    issuer.publish("ec", "k1")
    issuer.answer = held(answered, arrived, msgspec.json.encode({"keys": issuer.jwks}))
    impatient, patient = (asyncio.create_task(user(verifier, issuer.sign("ec", "k1"))) for _ in range(2))
    await arrived.wait()
    impatient.cancel()
    await asyncio.wait([impatient])
    answered.set()
    assert await patient == "ann"
    assert issuer.asked == 1


def held(answered: asyncio.Event, arrived: asyncio.Event, body: bytes) -> Answer:
    """An issuer that takes its time."""

    async def answer(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await answered.wait()
        return web.Response(body=body)

    return answer


async def test_a_fetch_does_not_hold_the_loop(issuer: Any, verifier: Verifier) -> None:
    """Others are served while the issuer thinks, those with a known token too."""
    issuer.publish("ec", "k1")
    assert await user(verifier, issuer.sign("ec", "k1")) == "ann"
    answered, arrived = asyncio.Event(), asyncio.Event()
    issuer.answer = held(answered, arrived, msgspec.json.encode({"keys": issuer.jwks}))
    assert verifier._keys
    verifier._keys._rest_until = 0.0
    waiting = asyncio.create_task(user(verifier, issuer.sign("ec", "k2")))
    await arrived.wait()
    assert await user(verifier, issuer.sign("ec", "k1")) == "ann"
    answered.set()
    assert await waiting == "refused"


async def test_a_new_key_is_found_at_once(issuer: Any, verifier: Verifier, ticks: Ticks) -> None:
    issuer.publish("rsa", "k1")
    assert await user(verifier, issuer.sign("rsa", "k1")) == "ann"
    issuer.publish("other rsa", "k2")
    ticks.now += REST
    assert await user(verifier, issuer.sign("other rsa", "k2")) == "ann"
    assert issuer.asked == 2


async def test_made_up_key_ids_are_no_load_on_the_issuer(issuer: Any, verifier: Verifier, ticks: Ticks) -> None:
    issuer.publish("rsa", "k1")
    assert await user(verifier, issuer.sign("rsa", "k1")) == "ann"
    for number in range(50):
        assert await user(verifier, issuer.sign("rsa", f"made-up-{number}")) == "refused"
    assert issuer.asked == 1
    ticks.now += REST
    for number in range(50):
        assert await user(verifier, issuer.sign("rsa", f"more-{number}")) == "refused"
    assert issuer.asked == 2


async def test_tokens_of_another_algorithm_are_no_load_at_all(issuer: Any, verifier: Verifier, ticks: Ticks) -> None:
    issuer.publish("rsa", "k1")
    assert await user(verifier, issuer.sign("rsa", "k1")) == "ann"
    ticks.now += REST
    assert await user(verifier, issuer.sign("rsa", "k2", alg="HS256")) == "refused"
    assert await user(verifier, "garbage") == "refused"
    assert issuer.asked == 1


async def test_a_key_that_was_taken_back_takes_its_tokens_along(issuer: Any, verifier: Verifier, ticks: Ticks) -> None:
    issuer.publish("rsa", "k1")
    token = issuer.sign("rsa", "k1")
    assert await user(verifier, token) == "ann"
    issuer.jwks.clear()
    issuer.publish("other rsa", "k2")
    ticks.now += FRESH
    assert await user(verifier, token) == "ann"  # and the keys are fetched meanwhile
    await fetched(verifier)
    assert await user(verifier, token) == "refused"
    assert await user(verifier, issuer.sign("other rsa", "k2")) == "ann"
    assert issuer.asked == 2


async def test_keys_that_stayed_the_same_forget_no_token(issuer: Any, verifier: Verifier, ticks: Ticks) -> None:
    issuer.publish("rsa", "k1")
    token = issuer.sign("rsa", "k1")
    first = await verifier.verify(token)
    ticks.now += FRESH
    await verifier.verify(token)
    await fetched(verifier)
    assert await verifier.verify(token) is first
    assert issuer.asked == 2


async def test_the_last_good_keys_stay_while_the_issuer_is_down(
    issuer: Any, verifier: Verifier, ticks: Ticks, forge: Any, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.publish("rsa", "k1")
    assert await user(verifier, issuer.sign("rsa", "k1")) == "ann"
    await issuer.stop()
    for number in range(5):
        ticks.now += FRESH
        assert await user(verifier, issuer.sign("rsa", "k1", forge.claims(jti=number))) == "ann"
        await fetched(verifier)
        assert await user(verifier, issuer.sign("rsa", "k2")) == "refused"
    assert "the keys of before stay good" in caplog.text
    await issuer.start(issuer.port)
    ticks.now += REST
    issuer.publish("other rsa", "k2")
    assert await user(verifier, issuer.sign("other rsa", "k2")) == "ann"


async def test_before_any_key_was_seen_nobody_is_called_a_liar(issuer: Any, verifier: Verifier, ticks: Ticks) -> None:
    """The token may be good: 503 with `Retry-After`, not 401."""
    issuer.publish("rsa", "k1")
    await issuer.stop()
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await verifier.verify(issuer.sign("rsa", "k1"))
        assert caught.value.retry_after == REST
    await issuer.start(issuer.port)
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.sign("rsa", "k1"))
    ticks.now += REST
    assert await user(verifier, issuer.sign("rsa", "k1")) == "ann"


async def test_a_slow_issuer_is_waited_for_but_not_for_ever(
    issuer: Any, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sse_server.auth.jwks.TIMEOUT", 0.05)
    issuer.publish("rsa", "k1")
    issuer.answer = held(asyncio.Event(), asyncio.Event(), b"")
    before = time.monotonic()
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.sign("rsa", "k1"))
    assert time.monotonic() - before < 2


async def trickling(request: web.Request) -> web.StreamResponse:
    """An answer that never ends."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65_536)


async def giant(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"keys":[' + b" " * MAX_BYTES + b"]}")


async def packed(_: web.Request) -> web.StreamResponse:
    """A small answer that unpacks to a giant one."""
    return web.Response(body=gzip.compress(b'{"keys":[' + b" " * 10_000_000), headers={"Content-Encoding": "gzip"})


async def torn(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"keys":[')
    assert request.transport
    request.transport.abort()
    return response


def says(body: bytes, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status)

    return answer


NONSENSE = {
    "trickling": trickling,
    "giant": giant,
    "packed": packed,
    "torn": torn,
    "html": says(b"<!doctype html><title>Sign in</title>"),
    "empty": says(b""),
    "not UTF-8": says(b'{"keys":[{"kty":"\xff"}]}'),
    "no keys": says(b'{"keys":[]}'),
    "no set": says(b"[]"),
    "no list": says(b'{"keys":{"kty":"RSA"}}'),
    "no objects": says(b'{"keys":["RSA"]}'),
    "deep": says(b'{"keys":[{"a":' + b"[" * 100_000),
    "error": says(b'{"keys":[]}', status=500),
    "not found": says(b"{}", status=404),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_nonsense_is_no_key_set_and_costs_no_key(
    nonsense: str, issuer: Any, verifier: Verifier, ticks: Ticks, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.answer = NONSENSE[nonsense]
    issuer.publish("rsa", "k1")
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.sign("rsa", "k1"))
    issuer.answer = None
    ticks.now += REST
    assert await user(verifier, issuer.sign("rsa", "k1")) == "ann"
    issuer.answer = NONSENSE[nonsense]
    ticks.now += FRESH
    assert await user(verifier, issuer.sign("rsa", "k1")) == "ann"
    await fetched(verifier)
    assert await user(verifier, issuer.sign("rsa", "k1")) == "ann"
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 2
    assert all(len(record.getMessage()) < 150 for record in warned)


async def test_a_redirect_is_not_followed(issuer: Any, verifier: Verifier) -> None:
    evil = type(issuer)()
    await evil.start()
    evil.publish("rsa", "k1")

    async def redirect(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(evil.url)

    issuer.answer = redirect
    try:
        with pytest.raises(Unavailable):
            await verifier.verify(issuer.sign("rsa", "k1"))
        assert evil.asked == 0
    finally:
        await evil.stop()


async def test_keys_that_are_none_of_ours_are_passed_over(issuer: Any) -> None:
    issuer.publish("rsa", "good")
    issuer.publish("ec", "good")
    others: list[Any] = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "RS256"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "tiny"},
        {"kty": "RSA", "kid": "empty"},
        {"kty": "RSA", "n": 7, "e": [], "kid": "wrong types"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "other curve"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "no point"},
        {"kty": "OKP", "crv": "X25519", "x": "AA", "kid": "for agreement"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "too short"},
        {"kty": ["RSA"], "kid": "list"},
        {"kty": "RSA", "crv": {}, "kid": "object"},
        {"kid": "no kind"},
        {},
    ]
    issuer.jwks += others
    issuer.publish("rsa", "for encryption", use="enc")
    issuer.publish("rsa", "other algorithm", alg="RS512")
    issuer.publish("rsa", "kid of a wrong type", kid=7)
    issuer.publish("rsa", "private", d="AQAB")
    issuer.publish("weak rsa", "weak")
    keys = usable_keys(msgspec.json.encode({"keys": issuer.jwks}))
    assert keys.keys() == {("good", "RS256"), ("good", "ES256")}


async def test_a_set_has_so_many_keys_and_no_more(issuer: Any) -> None:
    for number in range(MAX_KEYS + 50):
        issuer.publish("ed", f"k{number}")
    assert len(usable_keys(msgspec.json.encode({"keys": issuer.jwks}))) == MAX_KEYS


async def test_closing_ends_a_fetch_that_is_under_way(issuer: Any) -> None:
    arrived = asyncio.Event()
    issuer.answer = held(asyncio.Event(), arrived, b"")
    keys = Keys(issuer.url, on_change=lambda: None)
    keys.freshen()
    await arrived.wait()
    await keys.close()
    await keys.close()
