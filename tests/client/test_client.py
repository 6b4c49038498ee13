"""What a server can be asked, and how its errors come back."""

from __future__ import annotations

import pytest

from sse_server import client as client_module
from sse_server.client import BadAnswer, Client, Patience, Refused, Unreachable
from tests.client.proxy import RUBBISH, STUCK, Act, Proxy, only
from tests.client.server import Server, Start, counting


def test_the_public_names_are_these() -> None:
    assert sorted(client_module.__all__) == [
        "AgentInfo",
        "BadAnswer",
        "CancelledJob",
        "Client",
        "ClientError",
        "Event",
        "EventPage",
        "JobInfo",
        "JobPage",
        "LineStatus",
        "Patience",
        "Refused",
        "Started",
        "Unreachable",
    ]


async def test_agents_come_with_their_schemas(client: Client) -> None:
    agents = {agent.name: agent for agent in await client.agents()}
    assert {"count", "echo", "tailor"} <= agents.keys()
    assert agents["fail"].description == "Fails."
    assert agents["say"].input == {"type": "string"}


async def test_a_job_can_be_looked_at_listed_and_erased(client: Client) -> None:
    started = await client.start("count", counting(12), session_id="looked-at")
    assert [event async for event in client.follow(started.job_id)]
    job = await client.job(started.job_id)
    assert (job.status, job.result, job.job_pct) == ("succeeded", {"counted": 12}, 100)
    assert job.text == "0 1 2 3 4 5 6 7 8 9 10 11 "
    assert [step["label"] for step in job.steps] == ["Counting"]
    assert [one.job_id for one in (await client.jobs(session_id="looked-at")).jobs] == [started.job_id]
    await client.erase(started.job_id)
    with pytest.raises(Refused) as refused:
        await client.job(started.job_id)
    assert refused.value.code == "not_found"


async def test_an_active_job_can_not_be_erased_but_cancelled(client: Client) -> None:
    started = await client.start("hang", None)
    with pytest.raises(Refused) as refused:
        await client.erase(started.job_id)
    assert (refused.value.status, refused.value.code) == (409, "conflict")
    cancelled = await client.cancel(started.job_id, wait=10)
    assert (cancelled.status, cancelled.cancellation) == ("cancelled", "stopped")


async def test_jobs_are_listed_page_by_page(client: Client) -> None:
    for _ in range(5):
        await client.start("fail", None, session_id="pages")
    listed, cursor = [], None
    while True:
        page = await client.jobs(session_id="pages", limit=2, cursor=cursor)
        listed += [job.job_id for job in page.jobs]
        cursor = page.next
        if cursor is None:
            break
    assert len(set(listed)) == 5
    assert listed == sorted(listed, reverse=True)


async def test_pages_can_be_short_and_filtered(client: Client) -> None:
    started = await client.start("count", counting(25))
    assert [event async for event in client.follow(started.job_id)]
    first = await client.poll(started.job_id, limit=3)
    assert [event.data["seq"] for event in first.events] == [1, 2, 3]
    assert (first.next, first.done) == (first.events[-1].id, False)
    filtered = await client.poll(started.job_id, types=["insight"])
    assert [event.type for event in filtered.events] == ["insight", "insight", "insight", "done"]


async def test_a_session_has_the_events_of_all_its_jobs(client: Client) -> None:
    empty = await client.session("two-jobs")
    assert (empty.events, empty.next, empty.done) == ([], "0", False)
    jobs = [(await client.start("fail", None, session_id="two-jobs")).job_id for _ in range(2)]
    for job_id in jobs:
        assert [event async for event in client.follow(job_id)]
    page = await client.session("two-jobs", empty.next)
    assert {event.data["job_id"] for event in page.events} == set(jobs)
    assert [event.data["seq"] for event in page.events] == list(range(1, len(page.events) + 1))


async def test_a_full_queue_says_when_to_come_back(start: Start) -> None:
    served = start("--set", "jobs.concurrency=1", "--set", "jobs.queue_size=1")
    async with Client(served.url) as client:
        running = await client.start("hang", None)
        async for event in client.follow(running.job_id):
            if event.type == "log":
                break
        await client.start("hang", None)
        with pytest.raises(Refused) as refused:
            await client.start("hang", None)
    assert (refused.value.status, refused.value.code, refused.value.passing) == (503, "queue_full", True)
    assert refused.value.retry_after is not None


async def test_the_token_and_the_headers_go_with_every_request(server: Server) -> None:
    async with (
        Proxy(server.port) as proxy,
        Client(proxy.url, token="t0ken", headers={"X-Request-Id": "req_mine"}) as client,
    ):
        started = await client.start("count", counting(2))
        assert [event async for event in client.follow(started.job_id)]
    assert len(proxy.requests) == 2
    for request in proxy.requests:
        assert "\r\nAuthorization: Bearer t0ken" in request
        assert "\r\nX-Request-Id: req_mine" in request


async def test_a_server_may_live_behind_a_path(server: Server) -> None:
    async with Proxy(server.port) as proxy, Client(f"{proxy.url}/under/here/") as client:
        with pytest.raises(Refused):
            await client.job("a/b?c")
    assert proxy.requests[0].startswith("GET /under/here/api/jobs/a%2Fb%3Fc HTTP/1.1")


async def test_nobody_there_is_unreachable(server: Server) -> None:
    async with Client("http://127.0.0.1:1") as client:
        with pytest.raises(Unreachable, match=r"can't connect to http://127\.0\.0\.1:1"):
            await client.agents()
    async with (
        Proxy(server.port, only("", STUCK)) as proxy,
        Client(proxy.url, patience=Patience(answer=0.1)) as client,
    ):
        with pytest.raises(Unreachable, match="in time"):
            await client.agents()


@pytest.mark.parametrize(
    ("act", "status"),
    [(RUBBISH, 200), (Act(say=b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\noops"), 404)],
)
async def test_an_answer_that_is_not_ours_is_said_to_be_so(server: Server, act: Act, status: int) -> None:
    async with Proxy(server.port, only("", act)) as proxy, Client(proxy.url) as client:
        with pytest.raises(BadAnswer) as bad:
            await client.agents()
    assert (bad.value.status, bad.value.passing) == (status, False)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://here", "http://", ""])
def test_what_is_no_url_is_no_server(url: str) -> None:
    with pytest.raises(ValueError, match="a server's URL begins with http"):
        Client(url)
