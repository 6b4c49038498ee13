"""Starting jobs: once, whatever becomes of the answer."""

from __future__ import annotations

import pytest

from sse_server.client import Client, Event, LineStatus, Patience, Refused
from tests.client.proxy import BAD_GATEWAY, LOSE, STUCK, Act, Proxy, in_turn
from tests.client.server import Server, counting


async def test_a_start_whose_answer_is_lost_makes_one_job(server: Server, client: Client, patience: Patience) -> None:
    async with (
        Proxy(server.port, in_turn("POST", LOSE, Act(after=40, then="reset"))) as proxy,
        Client(proxy.url, patience=patience) as starter,
    ):
        started = await starter.start("count", counting(2), session_id="lost-answers")
    assert started.replayed
    assert [job.job_id for job in (await client.jobs(session_id="lost-answers")).jobs] == [started.job_id]


async def test_the_same_key_is_the_same_job(client: Client) -> None:
    first = await client.start("count", counting(2), idempotency_key="twice-the-same")
    again = await client.start("count", counting(2), idempotency_key="twice-the-same")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.job_id == first.job_id
    with pytest.raises(Refused) as refused:
        await client.start("count", counting(3), idempotency_key="twice-the-same")
    assert (refused.value.status, refused.value.code) == (422, "idempotency_mismatch")


async def test_starts_without_a_key_are_jobs_of_their_own(client: Client) -> None:
    first, second = [await client.start("count", counting(2)) for _ in range(2)]
    assert first.job_id != second.job_id


async def test_what_a_start_may_say_arrives(client: Client) -> None:
    started = await client.start(
        "hang", None, session_id="mine", on_disconnect={"cancel_after": 60}, timeout=30, metadata={"for": "a test"}
    )
    job = await client.job(started.job_id)
    assert (job.session_id, job.metadata) == ("mine", {"for": "a test"})
    await client.cancel(started.job_id, wait=5)


async def test_a_start_that_streams_is_a_start_and_a_stream(client: Client) -> None:
    events = [event async for event in client.start_streaming("count", counting(20))]
    assert [event async for event in client.follow(events[0].data["job_id"])] == events
    assert events[-1].data["result"] == {"counted": 20}


@pytest.mark.parametrize(
    "acts",
    [
        (LOSE,),
        (BAD_GATEWAY,),
        (Act(after=100, then="reset"),),
        (Act(after=1500),),
        (Act(after=900), Act(after=700), Act(after=2000)),
        (STUCK,),
    ],
)
async def test_a_start_that_streams_survives_the_loss_of_its_line(
    server: Server, client: Client, acts: tuple[Act, ...]
) -> None:
    session = f"streamed-{abs(hash(acts))}"
    statuses: list[LineStatus] = []
    short = Patience(first_bytes=1.0, first_pause=0.005, longest_pause=0.05)
    rule = in_turn("", *acts)
    async with (
        Proxy(server.port, lambda line: rule(line) if "POST" in line or "/stream" in line else Act()) as proxy,
        Client(proxy.url, patience=short) as starter,
    ):
        streaming = starter.start_streaming("count", counting(20), session_id=session, on_status=statuses.append)
        events: list[Event] = [event async for event in streaming]
    (job,) = (await client.jobs(session_id=session)).jobs
    assert events == [event async for event in client.follow(job.job_id)]
    assert statuses


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_refused_start_is_not_tried_again(client: Client, *, streaming: bool) -> None:
    refusal = anext(client.start_streaming("cuont", {})) if streaming else client.start("cuont", {})
    with pytest.raises(Refused) as refused:
        await refusal
    assert (refused.value.status, refused.value.code) == (400, "agent_unknown")
    assert "did you mean 'count'?" in refused.value.detail


async def test_a_fault_in_the_input_is_named(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        await client.start("count", {"to": "ten"})
    assert refused.value.code == "invalid_input"
    assert [(fault.path, fault.message) for fault in refused.value.errors] == [
        ("$.input.to", "Expected `int`, got `str`")
    ]
