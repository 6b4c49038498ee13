"""Signatures: what a token's issuer has signed, by a secret or by a key of the issuer's (RFC 7515).

A key says by which algorithm it is used; the token's `alg` only has to agree (RFC 8725, section 3.1). Keys that a
token brings along (`jwk`, `jku`, `x5u`, `x5c`) are never looked at, and a token with `crit` is refused: we know none of
the extensions that it could mean.
"""

from __future__ import annotations

import jwt

from sse_server.auth.jwks import Keys
from sse_server.auth.refusal import refused

_jws = jwt.PyJWS(options={"enforce_minimum_key_length": True})


async def signed(token: str, keys: Keys | None, secret: str) -> bytes:
    """The payload, by the issuer's keys where there are any, else by the secret.

    Raises `Unauthenticated`, and `Unavailable` when the keys were never seen.
    """
    try:
        if keys:
            found = _jws.decode_complete(token, await _key(keys, token))
        else:
            found = _jws.decode_complete(token, secret, algorithms=["HS256"])
    except jwt.PyJWTError as error:
        raise refused(type(error).__name__) from None  # its own words for what is wrong may repeat the token
    if "crit" in found["header"]:
        raise refused("crit")
    payload: bytes = found["payload"]
    return payload


async def _key(keys: Keys, token: str) -> jwt.PyJWK:
    header = _jws.get_unverified_header(token)
    key = await keys.find(header.get("kid"), header.get("alg"))
    if key is None:
        raise refused("no key of the issuer's goes with it")
    return key
