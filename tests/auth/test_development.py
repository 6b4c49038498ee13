"""A developer's token is taken by a server with the same settings, and by no other."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sse_server.auth import Verifier, development_token
from sse_server.config import Auth
from sse_server.errors import SettingsError, Unauthenticated


@pytest.mark.parametrize(
    "changed", [{}, {"audience": ""}, {"audience": "mine", "issuer": "https://id.example.com/"}], ids=str
)
async def test_a_server_with_these_settings_takes_it(changed: dict[str, Any], rules: Auth, clock: Any) -> None:
    rules = replace(rules, **changed)
    token = development_token(rules, "ann", now=clock(), ttl=60, scopes=["stats", "admin"])
    identity = await Verifier(rules, clock=clock).verify(token)
    assert identity.user == "ann"
    assert identity.scopes == {"stats", "admin"}
    assert identity.expires == clock.now + 60 + rules.leeway


async def test_it_expires(rules: Auth, clock: Any) -> None:
    token = development_token(rules, "ann", now=clock(), ttl=60)
    clock.now += 70
    with pytest.raises(Unauthenticated):
        await Verifier(rules, clock=clock).verify(token)


@pytest.mark.parametrize("rules", [Auth(), Auth(jwks_url="https://id.example.com/jwks.json")])
def test_without_a_secret_it_says_what_is_missing(rules: Auth) -> None:
    with pytest.raises(SettingsError, match=r"auth\.jwt_secret, which is not set"):
        development_token(rules, "ann", now=0)
