"""Verified tokens are remembered, so a busy caller costs little; until they expire, and so many of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sse_server.auth import Verifier
from sse_server.config import Auth
from sse_server.errors import Unauthenticated

NOW = 1_800_000_000


@pytest.fixture
def verifier(rules: Auth, clock: Callable[[], float]) -> Verifier:
    return Verifier(rules, clock=clock)


async def test_a_verified_token_is_remembered_until_it_expires_and_not_longer(
    clock: Any, verifier: Verifier, forge: Any
) -> None:
    token = forge.token()
    first = await verifier.verify(token)
    assert await verifier.verify(token) is first
    clock.now = NOW + 69.9
    assert await verifier.verify(token) is first
    clock.now = NOW + 70
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await verifier.verify(token)
    assert not verifier._verified


async def test_a_remembered_token_stands_where_it_stands(verifier: Verifier, forge: Any) -> None:
    """What came as a header must not make the same token in a cookie look as if it were sent on purpose."""
    token = forge.token()
    assert [(await verifier.verify(token, how)).how for how in ("bearer", "cookie", "bearer")] == [
        "bearer",
        "cookie",
        "bearer",
    ]


async def test_a_refused_token_is_not_remembered(verifier: Verifier, forge: Any) -> None:
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await verifier.verify(forge.token(sign=lambda _: b"x"))
    assert not verifier._verified


async def test_only_so_many_tokens_are_remembered_and_the_idle_go_first(
    verifier: Verifier, forge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sse_server.auth.tokens.REMEMBERED", 3)
    tokens = [forge.token(forge.claims(jti=number)) for number in range(4)]
    first = await verifier.verify(tokens[0])
    for token in tokens[1:3]:
        await verifier.verify(token)
    assert await verifier.verify(tokens[0]) is first
    second = await verifier.verify(tokens[1])
    await verifier.verify(tokens[0])
    await verifier.verify(tokens[3])
    assert len(verifier._verified) == 3
    assert await verifier.verify(tokens[0]) is first
    assert await verifier.verify(tokens[1]) is second
