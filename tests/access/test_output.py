"""What goes wrong inside reaches a user as a code and a safe sentence, by whichever door they look."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

import sse_server
from sse_server.routes.middleware import on_prepare, problems
from tests.access.place import ANN, Place
from tests.access.troupe import LEAKED

TELLING = (LEAKED, "api.example.com", "RuntimeError", "Traceback", ".py", str(Path(sse_server.__file__).parent))


@pytest.mark.parametrize(
    ("agent", "error"),
    [
        ("leak", {"code": "agent_error", "message": "The agent failed."}),
        ("wrong", None),
    ],
)
async def test_what_an_agent_lets_slip_is_shown_nowhere(place: Place, agent: str, error: dict[str, str] | None) -> None:
    job = await place.ended(ANN, agent, session_id="s")
    started = {"Accept": "text/event-stream", "Idempotency-Key": "k"}
    again = {"agent": agent, "input": {}}
    answers = [
        await place.ask("GET", job, ANN),
        await place.ask("GET", "/api/jobs", ANN),
        await place.ask("GET", f"{job}/events?after=0", ANN),
        await place.ask("GET", "/api/sessions/s/events?after=0", ANN),
        await place.ask("GET", f"{job}/stream", ANN),
        await place.ask("GET", f"{job}/stream?named=1&replay=snapshot", ANN),
        await place.ask("POST", f"{job}/cancel", ANN),
        await place.ask("POST", "/api/jobs", ANN, headers=started, json=again),
        await place.ask("POST", "/api/jobs", ANN, headers=started, json=again),
    ]
    for answer in answers:
        assert answer.status == 200
        assert not [word for word in TELLING if word.encode() in answer.body], answer
    said = answers[0].json
    assert said["status"] == "failed"
    assert error is None or said["error"] == error
    assert said["error"]["code"] in {"agent_error", "invalid_result"}


async def test_a_fault_of_ours_is_a_number_to_ask_about_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise RuntimeError(f"can't open {Path(__file__)} with {LEAKED}")

    app = web.Application(middlewares=[problems])
    app.on_response_prepare.append(on_prepare)
    app.router.add_get("/", fail)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{runner.addresses[0][1]}/") as answer:
            said = await answer.text()
            assert answer.status == 500
            assert answer.content_type == "application/problem+json"
            assert answer.headers["X-Request-Id"] in said
    finally:
        await runner.cleanup()
    assert not [word for word in TELLING if word in said]
    assert '"code":"internal"' in said
    assert LEAKED in caplog.text, "whoever runs the server finds the whole story"


async def test_every_answer_says_how_it_may_not_be_used(place: Place) -> None:
    """Not kept, not run, not framed, not sniffed, and no word about what it was made with."""
    job = await place.ended(ANN)
    answers = [
        await place.ask("GET", "/health"),
        await place.ask("GET", job, ANN),
        await place.ask("GET", f"{job}/stream", ANN),
        await place.ask("GET", "/nowhere"),
        await place.ask("PUT", "/api/jobs"),
        await place.ask("GET", "/api/jobs"),
        await place.ask("DELETE", job, ANN),
        await place.ask("OPTIONS", job),
    ]
    for answer in answers:
        assert answer.headers.getall("X-Content-Type-Options") == ["nosniff"]
        assert answer.headers.getall("Server") == ["sse-server"]
        assert "no-store" in answer.headers["Cache-Control"]
        assert len(answer.headers.getall("X-Request-Id")) == 1
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
