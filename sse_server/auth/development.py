"""A token for a developer, as the issuer would make it: what `sse-server token` prints."""

from __future__ import annotations

from collections.abc import Iterable

from sse_server.config import Auth
from sse_server.errors import SettingsError


def development_token(rules: Auth, user: str, *, now: float, ttl: float = 3600.0, scopes: Iterable[str] = ()) -> str:
    """A token that a server with these settings takes, for `ttl` seconds from `now` (Unix seconds) on.

    Raises SettingsError without a secret: where an issuer's keys are checked, the issuer alone makes tokens.
    """
    if not rules.jwt_secret:
        raise SettingsError(
            "a token is signed with auth.jwt_secret, which is not set:"
            " give this command and the server the same JWT_SECRET"
        )
    import jwt  # noqa: PLC0415  (a server never makes one, and would wait for its cryptography)

    claims: dict[str, object] = {"sub": user, "iat": int(now), "exp": int(now + ttl)}
    if rules.audience:
        claims["aud"] = rules.audience
    if rules.issuer:
        claims["iss"] = rules.issuer
    if scope := " ".join(scopes):
        claims["scope"] = scope
    return jwt.encode(claims, rules.jwt_secret, algorithm="HS256")
