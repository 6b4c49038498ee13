"""Secure by default: a server that anybody could use from elsewhere does not start, and says which line is missing."""

from __future__ import annotations

import pytest

from tests.access.place import ANN, SECRET
from tests.access.process import Run

EVERYWHERE = ("--host", "0.0.0.0")
PLACEHOLDER = "placeholder-jwt-secret-with-at-least-32-characters"


async def test_without_authentication_it_starts_on_loopback_only(run: Run) -> None:
    said = run(*EVERYWHERE).refused()
    assert "without authentication" in said
    for line in (
        "JWT_SECRET",
        "auth.jwks_url",
        "127.0.0.1",
        'mode = "none" under [auth]',
        "SSE_SERVER__AUTH__MODE=none",
    ):
        assert line in said, "it says what to write"
    assert "Traceback" not in said
    assert said.count("\n") == 1
    server = run("agents.py")
    server.start()
    assert b" 202 " in await server.talk(start())
    server.stop()


async def test_open_to_all_when_somebody_wrote_so_and_it_warns(run: Run) -> None:
    """The line that the refusal asked for is the line that helps."""
    server = run("agents.py", *EVERYWHERE, SSE_SERVER__AUTH__MODE="none")
    server.start()
    assert b" 202 " in await server.talk(start())
    assert b" 202 " in await server.talk(start("x.y.z")), "tokens are not looked at"
    assert "note: auth.mode is none" in server.stop()


async def test_with_a_secret_it_listens_anywhere_and_asks_for_tokens(run: Run) -> None:
    server = run("agents.py", *EVERYWHERE, JWT_SECRET=SECRET)
    server.start()
    assert b" 401 " in await server.talk(start())
    assert b" 401 " in await server.talk(start("x.y.z"))
    assert b" 202 " in await server.talk(start(ANN))
    said = server.output + server.stop()
    assert "note:" not in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("options", "environ", "words"),
    [
        ((), {"JWT_SECRET": "tooshort"}, ["auth.jwt_secret", "32 bytes", "token_urlsafe(32)"]),
        ((), {"JWT_SECRET": "your-256-bit-secret-your-256-bit-secret"}, ["everybody knows"]),
        (EVERYWHERE, {"JWT_SECRET": PLACEHOLDER}, ["127.0.0.1 only", "placeholder"]),
        ((), {"SSE_SERVER__AUTH__MODE": "jwt"}, ["JWT_SECRET", "auth.jwks_url"]),
        ((), {"CORS_ORIGINS": "*"}, ["cors.origins", "cookies"]),
    ],
)
def test_what_would_be_open_by_mistake_is_refused_with_a_reason(
    run: Run, options: tuple[str, ...], environ: dict[str, str], words: list[str]
) -> None:
    said = run(*options, **environ).refused()
    assert all(word in said for word in words), said
    assert "Traceback" not in said
    secret = environ.get("JWT_SECRET", "\0")
    assert secret not in said, "a secret is not repeated"


def test_the_chat_documents_placeholder_warns_on_loopback(run: Run) -> None:
    server = run(JWT_SECRET=PLACEHOLDER)
    server.start()
    said = server.stop()
    assert "note: auth.jwt_secret is the chat document's placeholder" in said
    assert PLACEHOLDER not in said


def start(token: str | None = None) -> bytes:
    """A raw request that starts a job."""
    body = b'{"agent":"echo","input":{}}'
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST /api/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
