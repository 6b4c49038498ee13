"""Whatever a client sends as a proof, it is refused and nothing else happens."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack
from multidict import CIMultiDict

from sse_server.auth import Callers, Csrf, Identity, Tickets, Verifier, redact
from sse_server.auth.jwks import usable_keys
from sse_server.auth.seal import seal, unseal
from sse_server.config import Auth, Cors
from sse_server.errors import Forbidden, Unauthenticated

SECRET = "gP1r0uJwHk3mYx7nVtQ5eZs8dLbC2aRf"
KEY = bytes(range(32))
RULES = Auth(jwt_secret=SECRET)
TICKETS = Tickets(KEY, RULES)
CSRF = Csrf(KEY, RULES, Cors())

# As aiohttp hands headers over: bytes that are no UTF-8 come as lone surrogates.
header_text = st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
near_tokens = st.lists(st.text(string.ascii_letters + string.digits + "-_=.{", max_size=60), max_size=6).map(".".join)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
header_names = st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "jku", "zip", "cty", "x5c"])
claim_names = st.sampled_from(["sub", "exp", "nbf", "iat", "aud", "iss", "scope", "jti"])


def encode(value: object) -> bytes:
    """JSON as Python writes it: with NaN, and with lone surrogates as escapes."""
    from json import dumps

    return dumps(value).encode()


@given(header_text | near_tokens)
async def test_any_text_as_a_token(text: str) -> None:
    with pytest.raises(Unauthenticated):
        await Verifier(RULES).verify(text)


@given(header=st.dictionaries(header_names, json, max_size=5), claims=json)
async def test_any_header_with_a_good_signature(header: dict[str, object], claims: object, forge: Any) -> None:
    """By one who has the secret and no other algorithm: all that is left to get wrong is the reading."""
    token = forge.token(encode(claims), header={"alg": "HS256"} | header)
    with pytest.raises(Unauthenticated):
        await Verifier(RULES).verify(token)


@given(claims=st.dictionaries(claim_names, json | st.sampled_from(["ann", 2e9, "authenticated"]), max_size=8))
async def test_any_claims_with_a_good_signature(claims: dict[str, object], forge: Any) -> None:
    """The issuer's mistakes are refused too, or they name a user who can be stored and logged."""
    try:
        identity = await Verifier(RULES).verify(forge.token(encode(claims)))
    except Unauthenticated:
        return
    assert identity.user.isprintable()
    assert 0 < len(identity.user) < 256
    assert all(isinstance(scope, str) for scope in identity.scopes)


@given(payload=st.binary(max_size=300))
async def test_any_bytes_as_claims(payload: bytes, forge: Any) -> None:
    with pytest.raises(Unauthenticated):
        await Verifier(RULES).verify(forge.token(payload))


@given(header_text | near_tokens.map("tkt_{}".format))
def test_any_text_as_a_ticket(text: str) -> None:
    with pytest.raises(Unauthenticated):
        TICKETS.check(text)


@given(token=header_text | near_tokens.map("csrf_{}".format), twin=header_text)
def test_any_text_as_a_csrf_token(token: str, twin: str) -> None:
    with pytest.raises(Forbidden):
        CSRF.allow_write(
            Identity("ann", frozenset(), 2e9, "cookie"), CIMultiDict({"X-CSRF-Token": token}), "http", twin
        )
    assert CSRF.token("ann", twin) != twin


@given(authorization=header_text, token=header_text, cookie=header_text, ticket=st.none() | header_text)
async def test_any_headers_cookies_and_tickets(authorization: str, token: str, cookie: str, ticket: str | None) -> None:
    callers = Callers(RULES, Verifier(RULES), TICKETS)
    headers = CIMultiDict({"Authorization": authorization, "X-Auth-Token": token})
    for some in (headers, CIMultiDict({"Authorization": authorization}), CIMultiDict[str]()):
        with pytest.raises(Unauthenticated):
            await callers.identify_reader(some, {"access_token": cookie}, ticket, "job", "job_1")


@given(content=st.binary(max_size=500), purpose=st.binary(max_size=20), other=st.binary(max_size=20))
def test_what_is_sealed_is_unsealed_for_its_purpose_alone(content: bytes, purpose: bytes, other: bytes) -> None:
    text = seal(KEY, purpose, content)
    assert unseal(KEY, purpose, text) == content
    if other != purpose:
        assert unseal(KEY, other, text) is None


@given(
    user=st.text(min_size=1, max_size=255).filter(str.isprintable), name=st.text("abc._:-", min_size=1, max_size=128)
)
def test_a_ticket_for_any_user_comes_back_as_it_was(user: str, name: str) -> None:
    ticket = TICKETS.check(TICKETS.mint(user, "session", name)[0])
    assert (ticket.user, ticket.name) == (user, name)


@given(st.binary(max_size=300) | json.map(lambda keys: encode({"keys": keys})))
def test_any_bytes_as_a_key_set(raw: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        usable_keys(raw)


jwk_fields = st.sampled_from(["kty", "crv", "n", "e", "x", "y", "kid", "alg", "use", "d", "k"])
jwk_values = json | st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "RS256", "sig", "AQAB", "AA"])


@given(st.lists(st.dictionaries(jwk_fields, jwk_values, max_size=8), max_size=4))
def test_any_fields_as_keys(keys: list[dict[str, object]]) -> None:
    try:
        usable = usable_keys(encode({"keys": keys}))
    except ValueError:
        return
    assert all(algorithm in {"RS256", "ES256", "EdDSA"} for _, algorithm in usable)


@given(header_text)
def test_any_line_is_redacted_once(line: str) -> None:
    once = redact(line)
    assert redact(once) == once


def test_msgpack_that_is_no_ticket_can_not_be_sealed_by_others() -> None:
    """The decoder behind the seal sees only what this server wrote."""
    for content in (b"", b"\xc1", msgpack.encode([]), msgpack.encode(["ann", "file", "/etc/passwd", 2e9])):
        with pytest.raises(Unauthenticated):
            TICKETS.check("tkt_" + seal(KEY[::-1], b"ticket 1", content))
