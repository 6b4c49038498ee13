"""What a server writes while it is attacked: the causes, and nothing that an attacker sent or could use."""

from __future__ import annotations

import re
from urllib.parse import quote

import msgspec
import pytest

from tests.access.place import ANN, BOB, SECRET, token
from tests.access.process import Process, Run
from tests.access.test_bad_tokens import FORGED

NASTY = "\x1b]0;owned\x07\x1b[2J\r\nroot: all is well\u2028\x9b31m"


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


async def start(server: Process, agent: str, input: str) -> str:
    """The path of a new job of Ann's."""
    body = msgspec.json.encode({"agent": agent, "input": input, "session_id": "hers"})
    started = await server.talk(request("POST", "/api/jobs", f"Authorization: Bearer {ANN}", body=body))
    job = re.search(rb"Location: (\S+)", started)
    assert job, started
    return job[1].decode()


async def attack(server: Process) -> list[str]:
    """Forge, guess and inject; returns all secrets that were sent."""
    secrets = [ANN, BOB, SECRET]
    bearer = f"Authorization: Bearer {ANN}"
    assert b" 401 " in await server.talk(request("GET", "/api/jobs"))
    path = await start(server, "echo", "hers")
    wanted = msgspec.json.encode({"job_id": path.rpartition("/")[2]})
    minted = await server.talk(request("POST", "/api/tickets", bearer, body=wanted))
    ticket = str(msgspec.json.decode(minted.partition(b"\r\n\r\n")[2])["ticket"])
    csrf = await server.talk(request("GET", "/api/csrf", f"Cookie: access_token={ANN}"))
    proof = str(msgspec.json.decode(csrf.partition(b"\r\n\r\n")[2])["csrf_token"])
    secrets += [ticket, proof]
    for name, forge in FORGED.items():
        if name == "iss of another":
            continue  # this server takes any
        forged = forge()
        secrets += [part for part in [forged, *forged.split(".")[1:]] if len(part) > 20]
        for header in (f"Authorization: Bearer {forged}", f"X-Auth-Token: {forged}", f"Cookie: access_token={forged}"):
            assert b" 401 " in await server.talk(request("GET", "/api/jobs", header))
        assert b" 401 " in await server.talk(request("GET", f"{path}/events?ticket={quote(forged)}"))
    for used in (
        f"{path}/events?ticket={ticket}",
        f"{path}/stream?ticket={ticket}&after=0",
        f"/{ticket}",
        f"/x;ticket={ticket}",
    ):
        await server.talk(request("GET", used, f"Referer: http://x/?ticket={ticket}", f"User-Agent: {ticket}"))
    await server.talk(request("GET", f"{path}/events?ticket={ticket[:-1]}"))
    await server.talk(
        request("POST", "/api/jobs", f"Cookie: access_token={ANN}; csrf_token={proof}", "X-CSRF-Token: x")
    )
    await server.talk(request("GET", f"/{quote(NASTY)}/{ANN}", f"X-Session-Id: {ticket}", bearer))
    await server.talk(request("GET", "/health", f"X-Session-Id: {NASTY[1:2]}é\udcff", "X-Request-Id: \x7f"))
    await server.talk(request("GET", "/health", f"X-Request-Id: {quote(NASTY)}"))
    await server.talk(f"GET /{NASTY}?ticket={ticket} HTTP/1.1\r\n{bearer}\r\n{NASTY}\r\n\r\n".encode())
    await server.talk(f"GET /health?ticket={ticket} HTTP/9.9\r\n{bearer}\r\n\r\n".encode())
    assert b" 404 " in await server.talk(request("GET", path, f"Authorization: Bearer {BOB}"))
    return secrets


def raw(text: str) -> set[str]:
    """The characters in it that command a terminal, or break a line in two."""
    return {char for char in text if not char.isprintable() and char != "\n"}


@pytest.mark.parametrize("shape", ["console", "json"])
async def test_a_run_of_attacks_leaves_causes_in_the_log_and_no_token(run: Run, shape: str) -> None:
    options = (
        "--set",
        "server.access_log=true",
        "--set",
        "auth.leeway=0",
        "--set",
        "log.level=debug",
        "--set",
        f"log.format={shape}",
    )
    server = run("agents.py", *options, JWT_SECRET=SECRET)
    server.start()
    secrets = await attack(server)
    said = server.output + server.stop()
    for secret in secrets:
        assert secret not in said
        assert quote(secret) not in said
    for cause in (
        "expired",
        "InvalidSignatureError",
        "not valid yet",
        "aud is not ours",
        "no token",
        "no ticket of ours",
    ):
        assert f"not authenticated: {cause}" in said
    assert "/api/jobs" in said, "the access log was on"
    assert not raw(said)
    assert "\nroot: all is well" not in said, "nobody writes a line into the log"
    lines = [
        line for line in said.splitlines() if "not_found" in line or '"status": 404' in line or "status=404" in line
    ]
    assert not [line for line in lines if re.search(r"\b(ann|hers)\b", line)], "whose it is does not show"


@pytest.mark.parametrize(
    "shape",
    [
        "console",
        "json",
    ],
)
async def test_what_an_agents_error_holds_writes_no_line_and_no_command_into_the_log(run: Run, shape: str) -> None:
    server = run("agents.py", "--set", f"log.format={shape}", JWT_SECRET=SECRET)
    server.start()
    path = await start(server, "leak", f"{NASTY} {ANN}")
    await server.talk(request("GET", f"{path}/events?wait=20&types=done", f"Authorization: Bearer {ANN}"))
    said = server.stop()
    assert "RuntimeError" in said, "the whole story is there"
    assert ANN not in said
    assert not raw(said)
    assert "\nroot: all is well" not in said


async def test_a_long_run_says_no_more_than_one_line_a_request(run: Run) -> None:
    server = run("--set", "log.format=json", JWT_SECRET=SECRET)
    server.start()
    for _ in range(30):
        await server.talk(request("GET", "/api/jobs", f"Authorization: Bearer {token('x', -99)}"))
    lines = server.stop().splitlines()
    assert len([line for line in lines if "not authenticated: expired" in line]) == 30
    assert all(isinstance(msgspec.json.decode(line), dict) for line in lines)
    assert len(lines) < 35
