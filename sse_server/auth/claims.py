"""The claims of a token whose signature is good (RFC 7519, section 4.1), read strictly and judged by our clock."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from sse_server.auth.refusal import refused
from sse_server.config import Auth


class Claims(Struct, frozen=True):
    """What is looked at, in its type; a number may not be a text here, and what is required has no default."""

    sub: Annotated[str, Meta(min_length=1, max_length=255)]
    exp: float
    nbf: float = 0.0
    iat: float = 0.0
    aud: str | list[str] = []
    iss: str = ""
    scope: str | list[str] = ""

    @property
    def scopes(self) -> frozenset[str]:
        """One text with spaces (RFC 8693, section 4.2), or a list as some issuers have it."""
        return frozenset(self.scope.split() if isinstance(self.scope, str) else self.scope)


_decoder = msgspec.json.Decoder(Claims)


def read_claims(payload: bytes, rules: Auth, now: float) -> Claims:
    """The claims, if they are about a user of ours, at this time. Raises `Unauthenticated`."""
    try:
        claims = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refused("a claim is missing or of the wrong type") from None
    if not claims.sub.isprintable() or not claims.sub.strip():
        raise refused("sub is no name")  # a control character must reach neither a log line nor a key of the store
    if claims.exp + rules.leeway <= now:
        raise refused("expired")
    if max(claims.nbf, claims.iat) - rules.leeway > now:
        raise refused("not valid yet")
    if rules.audience and rules.audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
        raise refused("aud is not ours")
    if rules.issuer and claims.iss != rules.issuer:
        raise refused("iss is not ours")
    return claims
