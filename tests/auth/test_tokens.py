"""HS256 tokens: the good one is taken, every known kind of forged one is refused in the same words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from sse_server.auth import Verifier
from sse_server.auth.tokens import MAX_LENGTH
from sse_server.config import Auth
from sse_server.errors import Unauthenticated

NOW = 1_800_000_000
WORDS = "this needs a valid token: sign in, or get a new one"


@pytest.fixture
def verifier(rules: Auth, clock: Callable[[], float]) -> Verifier:
    return Verifier(rules, clock=clock)


@pytest.fixture
def refuses(verifier: Verifier, caplog: pytest.LogCaptureFixture) -> Any:
    """Refuses a token in the words for every cause; the log says which, and holds nothing of the token."""

    async def refuses(token: str, cause: str, by: Verifier = verifier) -> None:
        caplog.clear()
        with caplog.at_level(logging.DEBUG), pytest.raises(Unauthenticated) as caught:
            await by.verify(token)
        assert (caught.value.detail, caught.value.status) == (WORDS, 401)
        assert caplog.messages == [f"not authenticated: {cause}"]
        assert not any(part in caplog.text for part in token.split(".") if len(part) > 3)

    return refuses


async def test_a_good_token_says_who_it_is_what_they_may_and_until_when(verifier: Verifier, forge: Any) -> None:
    identity = await verifier.verify(forge.token(forge.claims(scope="stats  admin other")), "header")
    assert identity.user == "ann"
    assert identity.scopes == {"stats", "admin", "other"}
    assert identity.expires == NOW + 60 + 10  # the leeway is the token's too
    assert identity.how == "header"


async def test_the_documents_own_token_is_taken(clock: Callable[[], float]) -> None:
    secret = "placeholder-jwt-secret-with-at-least-32-characters"
    claims = {"sub": "test-user-id", "email": "test@example.com", "aud": "authenticated", "exp": NOW + 3600}
    token = jwt.encode(claims, secret, algorithm="HS256")
    identity = await Verifier(Auth(jwt_secret=secret), clock=clock).verify(token)
    assert identity.user == "test-user-id"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", " none", "none ", "null", None, False, 0, [], {}])
async def test_no_algorithm_in_any_spelling(alg: object, forge: Any, refuses: Any) -> None:
    for sign in (lambda _: b"", lambda _: b"x", forge.hmac()):
        await refuses(forge.token(header={"alg": alg}, sign=sign), "InvalidAlgorithmError")


@pytest.mark.parametrize(
    "alg", ["hs256", "HS256 ", "HS384", "HS512", "RS256", "ES256", "EdDSA", "PS256", "HS1", ["HS256"]]
)
async def test_no_other_algorithm_than_the_secrets_own(alg: object, forge: Any, refuses: Any) -> None:
    await refuses(forge.token(header={"alg": alg}), "InvalidAlgorithmError")


@pytest.mark.parametrize(("alg", "digest"), [("HS384", "sha384"), ("HS512", "sha512")])
async def test_no_other_hmac_size_even_with_the_secret(alg: str, digest: str, forge: Any, refuses: Any) -> None:
    sign = forge.hmac(digest=digest)
    await refuses(forge.token(header={"alg": alg}, sign=sign), "InvalidAlgorithmError")
    await refuses(forge.token(sign=sign), "InvalidSignatureError")


async def test_a_header_without_an_algorithm(forge: Any, refuses: Any) -> None:
    good = forge.token()
    _, payload, signature = good.split(".")
    await refuses(f"e30.{payload}.{signature}", "InvalidAlgorithmError")


async def test_another_secret_an_empty_one_and_a_changed_byte(forge: Any, refuses: Any) -> None:
    for key in (b"", b"x" * 32, forge.secret.lower().encode(), forge.secret.encode() + b"x"):
        await refuses(forge.token(sign=forge.hmac(key)), "InvalidSignatureError")
    head, payload, signature = forge.token().split(".")
    other = forge.token(forge.claims(sub="bob")).split(".")[1]
    await refuses(f"{head}.{other}.{signature}", "InvalidSignatureError")
    await refuses(f"{head}.{payload}.{signature[:-4]}AAAA", "InvalidSignatureError")
    await refuses(f"{head}.{payload}.", "InvalidSignatureError")


async def test_a_public_key_as_the_secret(clock: Callable[[], float], forge: Any, refuses: Any) -> None:
    """Key confusion: who pastes the issuer's public key where the secret goes must not open the door."""
    public = rsa.generate_private_key(65_537, 2048).public_key()
    for pem in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    ):
        verifier = Verifier(Auth(jwt_secret=pem.decode()), clock=clock)
        await refuses(forge.token(sign=forge.hmac(pem)), "InvalidKeyError", verifier)


async def test_a_short_secret_is_refused_here_too(clock: Callable[[], float], forge: Any, refuses: Any) -> None:
    verifier = Verifier(Auth(jwt_secret="x" * 31), clock=clock)
    await refuses(forge.token(sign=forge.hmac(b"x" * 31)), "InvalidKeyError", verifier)


@pytest.mark.parametrize("crit", [["b64"], ["exp"], ["http://example.com/ext"]])
async def test_extensions_that_must_be_understood(crit: list[str], forge: Any, refuses: Any) -> None:
    header = {"crit": crit, "exp": NOW, "http://example.com/ext": 1, "b64": True}
    cause = "crit" if crit == ["b64"] else "InvalidTokenError"
    await refuses(forge.token(header=header), cause)


@pytest.mark.parametrize("crit", [[], None, "b64", 1, [1], [[]], {}, ["b64", "b64"], ["alg"]])
async def test_a_crit_that_says_nothing_is_refused_as_well(crit: object, verifier: Verifier, forge: Any) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge.token(header={"crit": crit}))


async def test_an_unencoded_payload(forge: Any, refuses: Any) -> None:
    """RFC 7797: the signature is over a payload that is not in the token."""
    token = forge.token(header={"b64": False, "crit": ["b64"]})
    head, _, signature = token.split(".")
    await refuses(token, "DecodeError")
    await refuses(f"{head}..{signature}", "DecodeError")
    await refuses(forge.token(header={"b64": False}), "DecodeError")


@pytest.mark.parametrize("where", ["jwk", "jku", "x5u", "x5c", "kid"])
async def test_a_key_that_the_token_brings_along_is_not_looked_at(
    where: str, verifier: Verifier, forge: Any, refuses: Any
) -> None:
    evil = b"e" * 32
    brought: dict[str, Any] = {
        "jwk": {"kty": "oct", "k": "ZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWU"},
        "jku": "http://127.0.0.1:9/jwks.json",
        "x5u": "http://127.0.0.1:9/cert.pem",
        "x5c": ["MIIB"],
        "kid": "../../../../dev/null",
    }
    header = {where: brought[where]}
    await refuses(forge.token(header=header, sign=forge.hmac(evil)), "InvalidSignatureError")
    assert (await verifier.verify(forge.token(header=header))).user == "ann"


@pytest.mark.parametrize("missing", ["sub", "exp"])
async def test_a_claim_that_must_be_there(missing: str, forge: Any, refuses: Any) -> None:
    await refuses(forge.token(forge.claims(**{missing: None})), "a claim is missing or of the wrong type")


WRONG: dict[str, list[object]] = {
    "sub": [7, "", ["ann"], {"name": "ann"}, True, "a" * 256],
    "exp": [str(NOW + 60), True, [NOW], {}, "never"],
    "nbf": [str(NOW), False, []],
    "iat": [str(NOW), True, {}],
    "aud": [7, {"authenticated": 1}, ["authenticated", 7], True],
    "iss": [7, ["https://id.example.com"]],
    "scope": [7, {"admin": True}, ["admin", 7], True],
}


@pytest.mark.parametrize(("claim", "wrong"), [(claim, wrong) for claim, every in WRONG.items() for wrong in every])
async def test_a_claim_of_the_wrong_type(claim: str, wrong: object, forge: Any, refuses: Any) -> None:
    token = forge.token(forge.claims() | {claim: wrong})
    await refuses(token, "a claim is missing or of the wrong type")


@pytest.mark.parametrize("claim", ["sub", "exp", "nbf", "iat", "aud", "iss", "scope"])
async def test_a_claim_that_is_null(claim: str, forge: Any, refuses: Any) -> None:
    await refuses(forge.token(forge.claims() | {claim: None}), "a claim is missing or of the wrong type")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"ann"',
        b"{",
        b'{"sub":"ann","exp":NaN,"aud":"authenticated"}',
        b'{"sub":"ann","exp":Infinity,"aud":"authenticated"}',
        b'{"sub":"ann","exp":1e400,"aud":"authenticated"}',
        b'{"sub":"\\ud800","exp":1900000000,"aud":"authenticated"}',
        b'{"sub":"\xff","exp":1900000000,"aud":"authenticated"}',
        b'{"sub":"ann","exp":1900000000,"aud":' + b"[" * 2000,
        b'{"sub":"ann","exp":1900000000,"other":' + b"[" * 2000,
    ],
)
async def test_a_payload_that_is_no_set_of_claims(payload: bytes, forge: Any, refuses: Any) -> None:
    await refuses(forge.token(payload), "a claim is missing or of the wrong type")


@pytest.mark.parametrize("name", [" ", "ann\n", "an\0n", "ann\x1b[2J", "\u202eann", "\u2028"])
async def test_a_name_that_could_write_into_a_log_or_look_like_another(name: str, forge: Any, refuses: Any) -> None:
    await refuses(forge.token(forge.claims(sub=name)), "sub is no name")


@pytest.mark.parametrize(
    "name", ["auth0|64b0", "a" * 255, "zoë", "名前", "a b", "12345678-1234-1234-1234-123456789012"]
)
async def test_a_name_that_an_issuer_gives(name: str, verifier: Verifier, forge: Any) -> None:
    assert (await verifier.verify(forge.token(forge.claims(sub=name)))).user == name


async def test_an_expired_token(clock: Any, verifier: Verifier, forge: Any, refuses: Any) -> None:
    await refuses(forge.token(forge.claims(exp=NOW - 10)), "expired")
    await refuses(forge.token(forge.claims(exp=0)), "expired")
    await refuses(forge.token(forge.claims(exp=-1e300)), "expired")
    late = await verifier.verify(forge.token(forge.claims(exp=NOW - 9.5)))
    assert late.expires > clock()


@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_a_token_that_is_not_valid_yet(claim: str, verifier: Verifier, forge: Any, refuses: Any) -> None:
    await refuses(forge.token(forge.claims(**{claim: NOW + 11})), "not valid yet")
    assert (await verifier.verify(forge.token(forge.claims(**{claim: NOW + 10})))).user == "ann"


@pytest.mark.parametrize(
    "aud", [None, "", "other", "Authenticated", "authenticated ", [], ["other"], [["authenticated"]]]
)
async def test_a_token_for_another_audience(aud: object, verifier: Verifier, forge: Any) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge.token(forge.claims(aud=aud)))


async def test_an_audience_may_be_one_of_several_or_not_asked_for(
    rules: Auth, clock: Callable[[], float], verifier: Verifier, forge: Any
) -> None:
    assert (await verifier.verify(forge.token(forge.claims(aud=["other", "authenticated"])))).user == "ann"
    anybody = Verifier(replace(rules, audience=""), clock=clock)
    for aud in (None, "other", ["a", "b"]):
        assert (await anybody.verify(forge.token(forge.claims(aud=aud)))).user == "ann"


async def test_a_token_of_another_issuer(rules: Auth, clock: Callable[[], float], forge: Any, refuses: Any) -> None:
    verifier = Verifier(replace(rules, issuer="https://id.example.com/"), clock=clock)
    for iss in (None, "", "https://id.example.com", "https://evil.example.com/"):
        await refuses(forge.token(forge.claims(iss=iss)), "iss is not ours", verifier)
    assert (await verifier.verify(forge.token(forge.claims(iss="https://id.example.com/")))).user == "ann"


async def test_a_giant_token_is_not_even_parsed(forge: Any, refuses: Any) -> None:
    giant = forge.token(forge.claims(more="x" * MAX_LENGTH))
    await refuses(giant, "too long, or no token at all")
    await refuses("a." * 10_000_000, "too long, or no token at all")


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d", "e30.e30.", "é.é.é", "\udcff", " "]
)
async def test_what_is_no_token_at_all(text: str, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(text)


async def test_signs_that_base64_would_pass_over(forge: Any, verifier: Verifier) -> None:
    good = forge.token()
    head, payload, signature = good.split(".")
    for changed in (
        f"{good}\n",
        f" {good}",
        f"{head}.{payload}.{signature}!",
        f"{head}!.{payload}.{signature}",
        f"{good}==",
    ):
        with pytest.raises(Unauthenticated):
            await verifier.verify(changed)


async def test_an_encrypted_token_and_a_token_in_json(forge: Any, verifier: Verifier) -> None:
    head, payload, signature = forge.token().split(".")
    in_json = msgspec.json.encode({"protected": head, "payload": payload, "signature": signature}).decode()
    for token in (f"{head}..{payload}.{signature}.{signature}", in_json):
        with pytest.raises(Unauthenticated):
            await verifier.verify(token)
