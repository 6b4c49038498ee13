"""Tokens by an issuer's keys: which are taken, and which keys are looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sse_server.auth.jwks import FRESH, MAX_KEYS, usable_keys

User = Callable[[str], Awaitable[str]]
Fetched = Callable[[], Awaitable[None]]


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed"])
async def test_each_kind_of_key_verifies_its_tokens(kind: str, issuer: Any, user: User) -> None:
    issuer.publish(kind, "k1")
    assert await user(issuer.sign(kind, "k1")) == "ann"
    assert issuer.asked == 1


async def test_the_claims_are_judged_as_with_a_secret(issuer: Any, forge: Any, clock: Any, user: User) -> None:
    issuer.publish("ec", "k1")
    for wrong in ({"sub": None}, {"exp": None}, {"aud": "other"}, {"exp": clock.now - 11}, {"nbf": clock.now + 11}):
        assert await user(issuer.sign("ec", "k1", forge.claims(**wrong))) == "refused"


@pytest.mark.parametrize(
    "alg", ["none", "None", "HS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "", None, [], {}]
)
async def test_the_key_says_by_which_algorithm_and_not_the_token(alg: object, issuer: Any, user: User) -> None:
    issuer.publish("rsa", "k1")
    issuer.publish("ec", "k2")
    assert await user(issuer.sign("rsa", "k1", alg=alg)) == "refused"
    assert await user(issuer.sign("rsa", "k2")) == "refused"
    assert await user(issuer.sign("ec", "k1")) == "refused"


async def test_a_public_key_is_no_secret(issuer: Any, forge: Any, user: User) -> None:
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
            assert await user(token) == "refused"


async def test_a_key_that_the_token_brings_along_is_not_looked_at(issuer: Any, user: User) -> None:
    """And its address is never asked: `jku` and `x5u` are the attacker's own."""
    evil = type(issuer)()
    await evil.start()
    evil.publish("other rsa", "k1")
    issuer.publish("rsa", "k1")
    try:
        for header in ({"jwk": evil.jwks[0]}, {"jku": evil.url}, {"x5u": evil.url}, {"x5c": ["MIIB"], "x5t": "x"}):
            for kid in ("k1", "k2", evil.url):
                assert await user(issuer.sign("other rsa", kid, **header)) == "refused"
            assert await user(issuer.sign("rsa", "k1", **header)) == "ann"
        claims = {"sub": "ann", "exp": 1_900_000_000, "aud": "authenticated", "iss": evil.url}
        assert await user(issuer.sign("other rsa", "k1", claims)) == "refused"
        assert evil.asked == 0
    finally:
        await evil.stop()


async def test_a_token_without_a_key_id_needs_an_issuer_with_one_key(
    issuer: Any, ticks: Any, user: User, fetched: Fetched
) -> None:
    issuer.publish("rsa", "k1")
    issuer.publish("ec", None)
    assert await user(issuer.sign("rsa", None)) == "ann"
    assert await user(issuer.sign("ec", None)) == "ann"
    issuer.publish("other rsa", "k2")
    ticks.now += FRESH
    await user(issuer.sign("ec", None))
    await fetched()
    assert await user(issuer.sign("rsa", None)) == "refused"
    assert await user(issuer.sign("ec", None)) == "ann"


@pytest.mark.parametrize("kid", [7, None, ["k1"], {"k1": 1}, True])
async def test_a_key_id_of_the_wrong_type(kid: object, issuer: Any, user: User) -> None:
    issuer.publish("rsa", "k1")
    assert await user(issuer.sign("rsa", "k1", kid=kid)) == "refused"


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
