"""Tokens: JSON Web Tokens (RFC 7519), verified by a secret or by the keys of an issuer.

A key says by which algorithm it is used; the token's `alg` only has to agree (RFC 8725, section 3.1). Keys that a
token brings along (`jwk`, `jku`, `x5u`, `x5c`) are never looked at, and a token with `crit` is refused: we know none of
the extensions that it could mean.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import jwt

from sse_server.auth.claims import read_claims
from sse_server.auth.identity import How, Identity
from sse_server.auth.jwks import Keys
from sse_server.auth.refusal import refused
from sse_server.config import Auth

MAX_LENGTH: Final = 8192
"""Characters of a token; a longer one is not even parsed."""
REMEMBERED: Final = 10_000
"""Verified tokens that are remembered; the one that was not seen for longest is forgotten first."""

_jws = jwt.PyJWS(options={"enforce_minimum_key_length": True})


class Verifier:
    """Tells whose a token is. `clock` gives Unix seconds."""

    def __init__(self, rules: Auth, *, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._clock = clock
        self._verified: OrderedDict[tuple[bytes, How], Identity] = OrderedDict()
        # A key that the issuer took back takes the tokens that it signed along.
        self._keys = Keys(rules.jwks_url, on_change=self._verified.clear) if rules.jwks_url else None

    async def verify(self, token: str, how: How = "bearer") -> Identity:
        """Whose token it is. Raises `Unauthenticated`, and `Unavailable` when the issuer's keys were never seen."""
        if not token.isascii() or len(token) > MAX_LENGTH:
            raise refused("too long, or no token at all")
        if self._keys:
            self._keys.freshen()
        digest = (sha256(token.encode()).digest(), how)
        if known := self._verified.get(digest):
            if known.expires <= self._clock():
                del self._verified[digest]
                raise refused("expired")
            self._verified.move_to_end(digest)
            return known
        payload = await self._payload(token)
        claims = read_claims(payload, self._rules, self._clock())
        identity = Identity(claims.sub, claims.scopes, claims.exp + self._rules.leeway, how)
        self._verified[digest] = identity
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return identity

    async def close(self) -> None:
        """Stop fetching keys."""
        if self._keys:
            await self._keys.close()

    async def _payload(self, token: str) -> bytes:
        """What was signed. PyJWT's own words for what is wrong may repeat the token, so only their kind is kept."""
        try:
            if self._keys:
                signed = _jws.decode_complete(token, await self._key(self._keys, token))
            else:
                signed = _jws.decode_complete(token, self._rules.jwt_secret, algorithms=["HS256"])
        except jwt.PyJWTError as error:
            raise refused(type(error).__name__) from None
        if "crit" in signed["header"]:
            raise refused("crit")
        payload: bytes = signed["payload"]
        return payload

    async def _key(self, keys: Keys, token: str) -> jwt.PyJWK:
        header = _jws.get_unverified_header(token)
        key = await keys.find(header.get("kid"), header.get("alg"))
        if key is None:
            raise refused("no key of the issuer's goes with it")
        return key
