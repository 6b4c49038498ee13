"""What authentication costs a request: microseconds, and how many times as much as decoding the body of a start.

usage: python scripts/bench_auth.py
"""
# ruff: noqa: INP001, T201  (a script, and what it finds goes to the terminal)

from __future__ import annotations

import asyncio
import logging
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import jwt
import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from multidict import CIMultiDict

from sse_server.auth import Callers, Csrf, Identity, Rate, Tickets, Verifier, redact
from sse_server.config import Auth, Cors
from sse_server.errors import Unauthenticated
from sse_server.routes.jobs import StartJob

RUNS = 7
TIMES = 2000
KEY = secrets.token_bytes(32)
SECRET = secrets.token_urlsafe(32)
RSA_KEY = rsa.generate_private_key(65_537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
BODY = msgspec.json.encode(
    {"agent": "tailor", "input": {"resume": "Python " * 40, "posting": "asyncio " * 40}, "session_id": "s-1"}
)


async def measure(once: Callable[[int], Awaitable[object] | object]) -> float:
    """The median, over several runs, of the microseconds that one call takes."""
    runs = []
    for run in range(RUNS):
        before = time.perf_counter()
        for number in range(run * TIMES, (run + 1) * TIMES):
            done = once(number)
            if isinstance(done, Awaitable):
                await done
        runs.append((time.perf_counter() - before) / TIMES * 1e6)
    return statistics.median(runs)


def tokens(algorithm: str, key: object, count: int) -> Sequence[str]:
    """So many different good tokens."""
    claims = {"sub": "12345678-1234-1234-1234-123456789012", "exp": int(time.time()) + 3600, "aud": "authenticated"}
    headers = {"kid": algorithm}
    return [jwt.encode(claims | {"jti": str(n)}, key, algorithm, headers) for n in range(count)]  # type: ignore[arg-type]


@asynccontextmanager
async def issuer() -> AsyncIterator[str]:
    """An issuer on loopback, by its address."""
    keys = [
        RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True) | {"kid": "RS256"},
        ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True) | {"kid": "ES256"},
    ]
    body = msgspec.json.encode({"keys": [{name: key[name] for name in key if name != "key_ops"} for key in keys]})

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def main() -> None:
    """Print a line for each way to show who asks."""
    logging.disable()
    rules, count = Auth(jwt_secret=SECRET), RUNS * TIMES
    by_secret, tickets = Verifier(rules), Tickets(KEY, rules)
    callers, csrf = Callers(rules, by_secret, tickets), Csrf(KEY, rules, Cors())
    decoder = msgspec.json.Decoder(StartJob)
    decode = await measure(lambda _: decoder.decode(BODY))

    def line(what: str, cost: float) -> None:
        print(f"{what:48} {cost:8.2f} us {cost / decode:7.1f} x")

    line(f"decode the body of a start ({len(BODY)} bytes)", decode)

    known = tokens("HS256", SECRET, 1)[0]
    header, cookie = CIMultiDict({"Authorization": f"Bearer {known}"}), {"access_token": known}
    line("request, token in a header, seen before", await measure(lambda _: callers.identify(header, {})))
    line("request, token in a cookie, seen before", await measure(lambda _: callers.identify(CIMultiDict(), cookie)))
    fresh = tokens("HS256", SECRET, count)
    line("HS256 token, new", await measure(lambda n: by_secret.verify(fresh[n])))

    async with issuer() as url:
        by_keys = Verifier(Auth(jwks_url=url))
        for algorithm, key in (("RS256", RSA_KEY), ("ES256", EC_KEY)):
            new = tokens(algorithm, key, count)
            await by_keys.verify(new[-1])  # the keys are there
            line(f"{algorithm} token, new", await measure(lambda n, new=new: by_keys.verify(new[n])))  # type: ignore[misc]
        await by_keys.close()

    async def forged(_: int) -> None:
        try:
            await by_secret.verify(known[:-4] + "AAAA")
        except Unauthenticated:
            return

    line("HS256 token, forged", await measure(forged))
    ticket, _ = tickets.mint("12345678-1234-1234-1234-123456789012", "job", "job_0063f1b2c3d4e50123456789abcdef")
    line("ticket, checked", await measure(lambda _: tickets.check(ticket)))
    line("ticket, minted", await measure(lambda _: tickets.mint("ann", "job", "job_1")))

    ann = Identity("ann", frozenset(), 2e9, "cookie")
    by_token = CIMultiDict({"Host": "a", "X-CSRF-Token": csrf.token("ann")})
    by_browser = CIMultiDict({"Host": "a", "Sec-Fetch-Site": "same-origin"})
    line("CSRF, by token", await measure(lambda _: csrf.allow_write(ann, by_token, "http")))
    line("CSRF, by the browser's word", await measure(lambda _: csrf.allow_write(ann, by_browser, "http")))
    starts = Rate(1_000_000, "start jobs")
    line("one start, counted", await measure(lambda n: starts.take(f"user-{n % 100}")))
    said = "2026-01-01T00:00:00Z [info] GET /api/jobs/job_1/stream request_id=req_0123456789abcdef status=200 ms=3"
    line(f"a log line of {len(said)} characters, redacted", await measure(lambda _: redact(said)))


if __name__ == "__main__":
    asyncio.run(main())
