"""The issuer: asked seldom and by one at a time, and what happens when it is away, slow, or talks nonsense."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from sse_server.auth import Verifier
from sse_server.auth.jwks import FRESH, MAX_BYTES, REST, Keys
from sse_server.errors import Unavailable

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
User = Callable[[str], Coroutine[Any, Any, str]]
Fetched = Callable[[], Awaitable[None]]


async def test_many_callers_wait_for_one_fetch(issuer: Any, user: User) -> None:
    issuer.publish("ec", "k1")
    tokens = [issuer.sign("ec", "k1") for _ in range(50)]
    assert await asyncio.gather(*(user(token) for token in tokens)) == ["ann"] * 50
    assert issuer.asked == 1


async def test_a_caller_who_gives_up_does_not_take_the_others_along(issuer: Any, user: User) -> None:
    issuer.publish("ec", "k1")
    asked, answered = issuer.hold()
    impatient, patient = (asyncio.create_task(user(issuer.sign("ec", "k1"))) for _ in range(2))
    await asked.wait()
    impatient.cancel()
    await asyncio.wait([impatient])
    answered.set()
    assert await patient == "ann"
    assert issuer.asked == 1


async def test_a_fetch_does_not_hold_the_loop(issuer: Any, ticks: Any, user: User) -> None:
    """Others are served while the issuer thinks, those with a known token too."""
    issuer.publish("ec", "k1")
    assert await user(issuer.sign("ec", "k1")) == "ann"
    asked, answered = issuer.hold()
    ticks.now += REST
    waiting = asyncio.create_task(user(issuer.sign("ec", "k2")))
    await asked.wait()
    assert await user(issuer.sign("ec", "k1")) == "ann"
    answered.set()
    assert await waiting == "refused"


async def test_a_new_key_is_found_at_once(issuer: Any, ticks: Any, user: User) -> None:
    issuer.publish("rsa", "k1")
    assert await user(issuer.sign("rsa", "k1")) == "ann"
    issuer.publish("other rsa", "k2")
    ticks.now += REST
    assert await user(issuer.sign("other rsa", "k2")) == "ann"
    assert issuer.asked == 2


async def test_made_up_key_ids_are_no_load_on_the_issuer(issuer: Any, ticks: Any, user: User) -> None:
    issuer.publish("rsa", "k1")
    assert await user(issuer.sign("rsa", "k1")) == "ann"
    for number in range(50):
        assert await user(issuer.sign("rsa", f"made-up-{number}")) == "refused"
    assert issuer.asked == 1
    ticks.now += REST
    for number in range(50):
        assert await user(issuer.sign("rsa", f"more-{number}")) == "refused"
    assert issuer.asked == 2


async def test_tokens_of_another_algorithm_are_no_load_at_all(issuer: Any, ticks: Any, user: User) -> None:
    issuer.publish("rsa", "k1")
    assert await user(issuer.sign("rsa", "k1")) == "ann"
    ticks.now += REST
    assert await user(issuer.sign("rsa", "k2", alg="HS256")) == "refused"
    assert await user("garbage") == "refused"
    assert issuer.asked == 1


async def test_a_key_that_was_taken_back_takes_its_tokens_along(
    issuer: Any, ticks: Any, user: User, fetched: Fetched
) -> None:
    issuer.publish("rsa", "k1")
    token = issuer.sign("rsa", "k1")
    assert await user(token) == "ann"
    issuer.jwks.clear()
    issuer.publish("other rsa", "k2")
    ticks.now += FRESH
    assert await user(token) == "ann"  # and the keys are fetched meanwhile
    await fetched()
    assert await user(token) == "refused"
    assert await user(issuer.sign("other rsa", "k2")) == "ann"
    assert issuer.asked == 2


async def test_keys_that_stayed_the_same_forget_no_token(
    issuer: Any, ticks: Any, fetched: Fetched, by_keys: Verifier
) -> None:
    issuer.publish("rsa", "k1")
    token = issuer.sign("rsa", "k1")
    first = await by_keys.verify(token)
    ticks.now += FRESH
    await by_keys.verify(token)
    await fetched()
    assert await by_keys.verify(token) is first
    assert issuer.asked == 2


async def test_the_last_good_keys_stay_while_the_issuer_is_down(
    *, issuer: Any, ticks: Any, forge: Any, caplog: pytest.LogCaptureFixture, user: User, fetched: Fetched
) -> None:
    issuer.publish("rsa", "k1")
    assert await user(issuer.sign("rsa", "k1")) == "ann"
    await issuer.stop()
    for number in range(5):
        ticks.now += FRESH
        assert await user(issuer.sign("rsa", "k1", forge.claims(jti=number))) == "ann"
        await fetched()
        assert await user(issuer.sign("rsa", "k2")) == "refused"
    assert "the keys of before stay good" in caplog.text
    await issuer.start(issuer.port)
    ticks.now += REST
    issuer.publish("other rsa", "k2")
    assert await user(issuer.sign("other rsa", "k2")) == "ann"


async def test_before_any_key_was_seen_nobody_is_called_a_liar(
    issuer: Any, ticks: Any, user: User, by_keys: Verifier
) -> None:
    """The token may be good: 503 with `Retry-After`, not 401."""
    issuer.publish("rsa", "k1")
    await issuer.stop()
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await by_keys.verify(issuer.sign("rsa", "k1"))
        assert caught.value.retry_after == REST
    await issuer.start(issuer.port)
    with pytest.raises(Unavailable):
        await by_keys.verify(issuer.sign("rsa", "k1"))
    ticks.now += REST
    assert await user(issuer.sign("rsa", "k1")) == "ann"


async def test_a_slow_issuer_is_waited_for_but_not_for_ever(
    issuer: Any, monkeypatch: pytest.MonkeyPatch, by_keys: Verifier
) -> None:
    monkeypatch.setattr("sse_server.auth.jwks.TIMEOUT", 0.05)
    issuer.publish("rsa", "k1")
    issuer.hold()
    before = time.monotonic()
    with pytest.raises(Unavailable):
        await by_keys.verify(issuer.sign("rsa", "k1"))
    assert time.monotonic() - before < 2


async def trickling(request: web.Request) -> web.StreamResponse:
    """An answer that never ends."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65_536)


async def giant(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"keys":[' + b" " * MAX_BYTES + b"]}")


async def packed(_: web.Request) -> web.StreamResponse:
    """A small answer that unpacks to a giant one."""
    return web.Response(body=gzip.compress(b'{"keys":[' + b" " * 10_000_000), headers={"Content-Encoding": "gzip"})


async def torn(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"keys":[')
    assert request.transport
    request.transport.abort()
    return response


def says(body: bytes, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status)

    return answer


NONSENSE = {
    "trickling": trickling,
    "giant": giant,
    "packed": packed,
    "torn": torn,
    "html": says(b"<!doctype html><title>Sign in</title>"),
    "empty": says(b""),
    "not UTF-8": says(b'{"keys":[{"kty":"\xff"}]}'),
    "no keys": says(b'{"keys":[]}'),
    "no set": says(b"[]"),
    "no list": says(b'{"keys":{"kty":"RSA"}}'),
    "no objects": says(b'{"keys":["RSA"]}'),
    "deep": says(b'{"keys":[{"a":' + b"[" * 100_000),
    "error": says(b'{"keys":[]}', status=500),
    "not found": says(b"{}", status=404),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_nonsense_is_no_key_set_and_costs_no_key(
    *,
    nonsense: str,
    issuer: Any,
    ticks: Any,
    caplog: pytest.LogCaptureFixture,
    user: User,
    fetched: Fetched,
    by_keys: Verifier,
) -> None:
    issuer.answer = NONSENSE[nonsense]
    issuer.publish("rsa", "k1")
    with pytest.raises(Unavailable):
        await by_keys.verify(issuer.sign("rsa", "k1"))
    issuer.answer = None
    ticks.now += REST
    assert await user(issuer.sign("rsa", "k1")) == "ann"
    issuer.answer = NONSENSE[nonsense]
    ticks.now += FRESH
    assert await user(issuer.sign("rsa", "k1")) == "ann"
    await fetched()
    assert await user(issuer.sign("rsa", "k1")) == "ann"
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 2
    assert all(len(record.getMessage()) < 150 for record in warned)


async def test_a_redirect_is_not_followed(issuer: Any, by_keys: Verifier) -> None:
    evil = type(issuer)()
    await evil.start()
    evil.publish("rsa", "k1")

    async def redirect(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(evil.url)

    issuer.answer = redirect
    try:
        with pytest.raises(Unavailable):
            await by_keys.verify(issuer.sign("rsa", "k1"))
        assert evil.asked == 0
    finally:
        await evil.stop()


async def test_closing_ends_a_fetch_that_is_under_way(issuer: Any) -> None:
    asked, _ = issuer.hold()
    keys = Keys(issuer.url, on_change=lambda: None)
    keys.freshen()
    await asked.wait()
    await keys.close()
    await keys.close()
