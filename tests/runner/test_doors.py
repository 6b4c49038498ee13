"""The same promises as a client meets them, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from typing import Any

import aiohttp
import msgspec

from sse_server import Job, agent, config
from sse_server.agents import Agent, Registry
from sse_server.app import Server
from sse_server.sse import Parser
from tests.runner.conftest import Told, whole

HOSTILE = "line\r\nid: 7\n\ndata: {}\r\0\u2028\ufeff:\x1b[2J\u0085 😀"


class Client:
    """An HTTP client of a server in this process."""

    def __init__(self, http: aiohttp.ClientSession, server: Server) -> None:
        self.http = http
        self.server = server

    async def start(self, name: str, input: object = None, **body: Any) -> str:
        async with self.http.post("/api/jobs", json={"agent": name, "input": input, **body}) as answer:
            assert answer.status == 202, await answer.text()
            return str((await answer.json())["job_id"])

    async def refused(self, name: str) -> tuple[int, str, str | None]:
        async with self.http.post("/api/jobs", json={"agent": name, "input": None}) as answer:
            return answer.status, (await answer.json())["code"], answer.headers.get("Retry-After")

    async def cancel(self, job_id: str, wait: float = 0) -> Told:
        async with self.http.post(f"/api/jobs/{job_id}/cancel", params={"wait": str(wait)}) as answer:
            assert answer.status == 200
            return msgspec.json.decode(await answer.read(), type=Told)

    @asynccontextmanager
    async def stream(self, job_id: str, after: str = "0") -> AsyncIterator[AsyncIterator[tuple[str, Told]]]:
        """The events of a stream, each with its id."""
        async with self.http.get(f"/api/jobs/{job_id}/stream", headers={"Last-Event-ID": after}) as answer:
            yield _events(answer)

    async def events(self, job_id: str) -> list[Told]:
        """The job's whole story; who is sent away for reading too slowly comes back."""
        events, after = list[Told](), "0"
        while not events or events[-1]["type"] != "done":
            async with self.stream(job_id, after) as stream:
                async for event_id, event in stream:
                    if "seq" in event:
                        after = event_id
                        events.append(event)
        return events

    async def told(self, job_id: str, until: str) -> None:
        """Until the job has emitted an event of that type."""
        async with self.stream(job_id) as stream:
            async for _, event in stream:
                if event["type"] == until:
                    return

    async def pages(self, job_id: str) -> list[Told]:
        """The same by polling."""
        events, after, done = list[Told](), "0", False
        while not done:
            async with self.http.get(f"/api/jobs/{job_id}/events", params={"after": after, "wait": "25"}) as answer:
                page = msgspec.json.decode(await answer.read(), type=Told)
            events += page["events"]
            after, done = page["next"], page["done"]
        return events


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Told]]:
    parser = Parser()
    async for chunk in answer.content.iter_any():
        for event in parser.feed(chunk):
            yield event.id, msgspec.json.decode(event.data, type=Told)


@asynccontextmanager
async def served(*agents: Agent, per_user: int = 100, **rules: Any) -> AsyncIterator[Client]:
    settings = config.Settings(
        store=config.Store(kind="memory"),
        server=config.Server(port=0, drain_timeout=0),
        jobs=config.Jobs(**{"cancel_grace": 0.05, **rules}),
        limits=config.Limits(jobs_per_user=per_user),
    )
    server = Server(settings, Registry(agents))
    await server.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:
            yield Client(http, server)
    finally:
        await server.stop()


@agent("waits")
async def waits(_: Any, job: Job) -> None:
    job.token("begun")
    await asyncio.Event().wait()


async def test_hostile_text_is_whole_on_the_wire() -> None:
    @agent("hostile")
    async def hostile(input: str, job: Job) -> dict[str, str]:
        job.token(input)
        job.emit("mine", **{input: [input, "\ud800"]})
        with job.step(input) as step:
            step.progress(1, input)
        return {input: input}

    async with served(hostile) as client:
        job_id = await client.start("hostile", HOSTILE)
        events = await client.events(job_id)
        assert events == await client.pages(job_id)
    whole(events)
    assert events[2]["text"] == HOSTILE
    assert events[3][HOSTILE] == [HOSTILE, "\ufffd"]
    assert [event["step"] for event in events[4:7]] == [HOSTILE] * 3
    assert events[-1]["result"] == {HOSTILE: HOSTILE}


async def test_a_full_queue_is_told_at_once_and_when_to_come_back() -> None:
    async with served(waits, concurrency=2, queue_size=3) as client:
        for _ in range(5):
            await client.start("waits")
        assert await client.refused("waits") == (503, "queue_full", "1")


async def test_a_user_with_too_many_jobs_is_told_when_to_come_back() -> None:
    async with served(waits, per_user=2) as client:
        jobs = [await client.start("waits") for _ in range(2)]
        assert await client.refused("waits") == (429, "too_many_jobs", "5")
        await client.cancel(jobs[0], wait=25)
        await client.start("waits")


async def test_a_requests_timeout_wins_over_the_agents_and_that_over_the_default() -> None:
    async def brief(_: Any, __: Job) -> None: ...

    agents = Agent("plain", brief), Agent("hasty", brief, timeout=7)
    async with served(*agents, timeout=11, max_timeout=20) as client:
        timeouts = []
        for name, asked in (("plain", {}), ("hasty", {}), ("hasty", {"timeout": 3}), ("hasty", {"timeout": 20})):
            record = await client.server.store.load(await client.start(name, **asked))
            assert record
            timeouts.append(record.spec.timeout)
        assert timeouts == [11, 7, 3, 20]
        for absurd in (20.1, 0, -1, "soon"):
            body = {"agent": "plain", "input": None, "timeout": absurd}
            async with client.http.post("/api/jobs", json=body) as answer:
                assert answer.status == 400
                assert (await answer.json())["errors"][0]["path"] == "$.timeout"


async def test_a_cancel_says_how_far_it_is() -> None:
    async with served(waits) as client:
        job_id = await client.start("waits")
        await client.told(job_id, "token")
        answer = await client.cancel(job_id, wait=25)
        assert (answer["status"], answer["cancellation"]) == ("cancelled", "stopped")
        assert 0 <= answer["cancellation_ms"] < 25_000
        assert (await client.cancel(job_id, wait=25))["cancellation"] == "stopped"


async def test_an_unresponsive_job_is_called_so(gate: Event) -> None:
    @agent("deaf")
    def deaf(_: Any, job: Job) -> None:
        job.token("begun")
        gate.wait()

    async with served(deaf) as client:
        job_id = await client.start("deaf")
        await client.told(job_id, "token")
        answer = await client.cancel(job_id, wait=25)
        assert (answer["status"], answer["cancellation"]) == ("cancelled", "unresponsive")


async def test_an_error_is_a_code_and_a_sentence_on_every_door() -> None:
    @agent("failing")
    async def failing(_: Any, __: Job) -> None:
        raise ValueError("secret")

    async with served(failing) as client:
        job_id = await client.start("failing")
        error = (await client.events(job_id))[-1]["error"]
        assert error == {"code": "agent_error", "message": "The agent failed."}
        assert (await client.pages(job_id))[-1]["error"] == error
        async with client.http.get(f"/api/jobs/{job_id}") as answer:
            assert (await answer.json())["error"] == error


async def test_a_client_that_goes_cancels_the_job_that_it_alone_watched() -> None:
    async with served(waits) as client:
        body = {"agent": "waits", "input": None, "on_disconnect": "cancel"}
        accept = {"Accept": "text/event-stream"}
        async with client.http.post("/api/jobs", json=body, headers=accept) as answer:
            job_id = answer.headers["Location"].split("/")[3]
            await anext(_events(answer))
            answer.close()
        done = (await client.pages(job_id))[-1]
        assert (done["status"], done["finish_reason"]) == ("cancelled", "cancelled")


async def test_a_client_that_goes_leaves_the_job_to_those_who_stay() -> None:
    goes_on = asyncio.Event()

    @agent("held")
    async def held(_: Any, __: Job) -> None:
        await goes_on.wait()

    async with served(held) as client:
        job_id = await client.start("held", on_disconnect="cancel")
        async with client.stream(job_id) as staying:
            await anext(staying)
            async with client.http.get(f"/api/jobs/{job_id}/stream") as leaving:
                await anext(_events(leaving))
                leaving.close()
            await client.http.get("/health")
            goes_on.set()
            events = [event async for _, event in staying]
        assert events[-1]["status"] == "succeeded"


async def test_a_flood_from_a_thread_reaches_its_reader_and_holds_up_nobody_else(gate: Event) -> None:
    """Three times what the outbox holds: the thread waits for the store, and nobody waits for the thread."""

    @agent("flood")
    def flood(_: Any, job: Job) -> None:
        for n in range(30_000):
            job.emit("mine", n=n)
        gate.wait()

    async with served(flood, waits) as client:
        flooding, other = await client.start("flood"), await client.start("waits")
        reading = asyncio.create_task(client.events(flooding))
        await client.told(other, "token")
        assert (await client.cancel(other, wait=25))["cancellation"] == "stopped"
        gate.set()
        events = await reading
    whole(events)
    assert [event["n"] for event in events if event["type"] == "mine"] == list(range(30_000))
