"""The printed nginx configurations, in a real nginx before the server."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.clients.box import nginx
from tests.seeds.conftest import Require
from tests.seeds.documents import Documents
from tests.seeds.house import House, Visitor
from tests.seeds.shell import Shell


async def test_a_session_gets_through_event_by_event(
    documents: Documents, house: House, visitor: Visitor, tmp_path: Path, require: Require
) -> None:
    require(shutil.which("nginx"), "nginx is not installed")
    async with nginx(tmp_path, house.port, documents["000 nginx 1"], "backend") as box:
        shell = Shell(tmp_path, tmp_path, "", visitor.token)
        stream = f"curl -N -H 'x-auth-token: '$TOKEN http://127.0.0.1:{box.port}/agent_network_sse/talk"
        async with shell.watch(stream) as output:
            await output.event("connection")
            for n in range(3):
                await visitor.publish("talk", "message", n=n)
                await output.event("message", n=n)


async def test_a_chat_gets_through_and_ends(
    documents: Documents, house: House, visitor: Visitor, tmp_path: Path, require: Require
) -> None:
    """Without chunks, so its end is the connection's."""
    require(shutil.which("nginx"), "nginx is not installed")
    command = documents.commands["001 bash 1.1"]
    async with nginx(tmp_path, house.port, documents["001 nginx 1"], "api-backend") as box:
        ran = await Shell(tmp_path, tmp_path, f"http://127.0.0.1:{box.port}", visitor.token).run(command.text)
    assert (ran.code, ran.status) == (0, 200)
    assert "Transfer-Encoding" not in ran.headers
    assert ran.frames[-1] == ("done", {"finish_reason": "stop"})
