"""The troubleshooting guide's commands for session streams."""

from __future__ import annotations

from tests.seeds.documents import Command
from tests.seeds.house import Visitor
from tests.seeds.printed import printed
from tests.seeds.shell import Shell

SESSION = "test-session"


@printed("000 bash 1.1")
async def test_the_server_says_that_it_is_alive(command: Command, shell: Shell) -> None:
    ran = await shell.run(command.text)
    assert (ran.code, ran.status, ran.json) == (0, 200, {"status": "ok"})


@printed("000 bash 1.2", "000 bash 4.1", "000 bash 4.2")
async def test_a_session_opens_at_once_and_shows_its_history_and_what_is_published(
    command: Command, shell: Shell, visitor: Visitor
) -> None:
    """With the token in either header, and the session's name in a header too."""
    await visitor.publish(SESSION, "message", content="before")
    async with shell.watch(command.text) as output:
        opened = await output.event("connection")
        assert opened.keys() == {"status", "sessionId", "userId", "timestamp"}
        assert (opened["status"], opened["sessionId"], opened["userId"]) == ("connected", SESSION, visitor.name)
        await output.event("message", content="before")
        await visitor.publish(SESSION, "status_update", content="now")
        await output.event("status_update", content="now")
        await output.event("keepalive")
        ran = output.so_far
    assert ran.status == 200
    assert ran.headers["Content-Type"] == "text/event-stream"
    assert [name for name, _ in ran.frames][:3] == ["connection", "message", "status_update"]


@printed("000 bash 1.3", "000 bash 4.3")
async def test_an_open_server_streams_to_whoever_has_no_token(command: Command, open_shell: Shell) -> None:
    """Under the frontend's prefix too."""
    async with open_shell.watch(command.text) as output:
        opened = await output.event("connection")
        assert (opened["status"], opened["sessionId"], opened["userId"]) == ("connected", SESSION, "anonymous")


@printed("000 bash 1.3", "000 bash 4.3")
async def test_a_server_that_asks_for_tokens_refuses_whoever_has_none(command: Command, shell: Shell) -> None:
    ran = await shell.run(command.text)
    assert (ran.code, ran.status, ran.json["code"]) == (0, 401, "unauthenticated")


@printed("000 bash 4.3")
async def test_the_verbose_output_shows_headers_that_keep_boxes_from_buffering(
    command: Command, open_shell: Shell
) -> None:
    async with open_shell.watch(command.text) as output:
        await output.event("connection")
        said = output.so_far.err.replace("\r", "").lower()
    for line in ("http/1.1 200 ok", "content-type: text/event-stream", "connection: keep-alive"):
        assert f"< {line}\n" in said
    assert "< x-accel-buffering: no\n" in said
    assert "< cache-control: no-cache" in said


@printed("000 bash 1.4")
async def test_a_preflight_needs_no_token_and_lets_the_frontend_in(command: Command, shell: Shell) -> None:
    ran = await shell.run(command.text)
    assert (ran.code, ran.status, ran.out) == (0, 200, "")
    assert ran.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert ran.headers["Access-Control-Allow-Methods"] == "GET"
    assert ran.headers["Access-Control-Allow-Credentials"] == "true"


@printed("000 bash 3.2")
async def test_the_figures_have_metrics(command: Command, open_shell: Shell) -> None:
    ran = await open_shell.run(command.text)
    assert (ran.code, ran.status) == (0, 200)
    assert isinstance(ran.json, dict)
    assert ran.json


@printed("000 bash 3.2")
async def test_the_figures_are_not_for_whoever_has_no_token(command: Command, shell: Shell) -> None:
    ran = await shell.run(command.text)
    assert (ran.code, ran.status, ran.out) == (0, 401, "null\n")
