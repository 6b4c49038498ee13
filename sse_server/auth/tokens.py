"""Tokens: JSON Web Tokens (RFC 7519), verified by a secret or by the keys of an issuer, and remembered.

PyJWT with its cryptography takes a tenth of a second to load, so that happens with the first token, or in `load`.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from sse_server.auth.claims import read_claims
from sse_server.auth.identity import How, Identity
from sse_server.auth.refusal import refused
from sse_server.config import Auth

if TYPE_CHECKING:
    from sse_server.auth.jwks import Keys

MAX_LENGTH: Final = 8192
"""Characters of a token; a longer one is not even parsed."""
REMEMBERED: Final = 10_000
"""Verified tokens that are remembered; the one that was not seen for longest is forgotten first."""


class Verifier:
    """Tells whose a token is. `clock` gives Unix seconds."""

    def __init__(self, rules: Auth, *, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._clock = clock
        self._verified: OrderedDict[tuple[bytes, How], Identity] = OrderedDict()
        self._keys: Keys | None = None
        if rules.jwks_url:
            from sse_server.auth.jwks import Keys

            # A key that the issuer took back takes the tokens that it signed along.
            self._keys = Keys(rules.jwks_url, on_change=self._verified.clear)

    def load(self) -> None:
        """Load what the first token needs, where tokens count; in any thread."""
        if self._rules.checks_tokens:
            from sse_server.auth import signatures  # noqa: F401

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
        from sse_server.auth.signatures import signed

        payload = await signed(token, self._keys, self._rules.jwt_secret)
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
