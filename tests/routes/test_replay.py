"""How a stream without a cursor begins: with every event kept, a snapshot, or nothing of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.routes.conftest import House

pytestmark = pytest.mark.parametrize("kind", ["memory", "sqlite"])


async def test_all_is_the_default(house: House) -> None:
    job_id = await house.counted(2)
    everything = await (await house.stream(job_id)).all()
    assert [frame.data["seq"] for frame in everything] == [1, 2, 3, 4, 5]
    assert await (await house.stream(job_id, replay="all")).all() == everything


async def test_snapshot_is_the_state_so_far_and_then_what_comes(house: House) -> None:
    job_id, actor = await house.puppet()
    with actor.job.step("read", label="Reading", index=1, total=2) as step:
        step.progress(40, "half way")
        actor.job.insight("seen", category="fact")
        with actor.job.tool("grep", {"for": "x"}) as call:
            call.result(["x"])
        actor.job.specialist("reader", "busy")
        actor.job.usage(tokens_in=3, tokens_out=4, model="m", cost_usd=0.5)
        await actor.say("so ", "far")
        stream = await house.stream(job_id, replay="snapshot")
        first = await stream.next()
        await actor.job.flush()
    assert first.type == "snapshot"
    assert first.id == first.data["last_event_id"]
    job = first.data["job"]
    assert job == {
        "job_id": job_id,
        "session_id": job_id,
        "agent": "puppet",
        "status": "running",
        "attempt": 1,
        "job_pct": job["job_pct"],
        "steps": [
            {
                "step": "read",
                "label": "Reading",
                "pct": 40,
                "status": "running",
                "message": "half way",
                "index": 1,
                "total": 2,
            }
        ],
        "insights": [{"text": "seen", "category": "fact"}],
        "text": "so far",
        "usage": {"tokens_in": 3, "tokens_out": 4, "model": "m", "cost_usd": 0.5},
        "tools": [{"call_id": "call_1_1", "tool": "grep", "arguments": {"for": "x"}, "result": ["x"]}],
        "specialists": [{"specialist": "reader", "status": "busy"}],
    }
    actor.end()
    rest = await stream.all()
    assert [frame.type for frame in rest] == ["snapshot", "step_progress", "done"]
    assert rest[1].data["status"] == "finished"
    again = await (await house.stream(job_id, first.id)).all()
    assert again == rest[1:]


async def test_none_is_what_comes_alone(house: House) -> None:
    job_id, actor = await house.puppet()
    await actor.say("past")
    stream = await house.stream(job_id, replay="none")
    assert (await stream.next()).type == "heartbeat"
    await actor.say("to come")
    assert (await stream.next()).data["text"] == "to come"
    actor.end()
    assert (await stream.all())[-1].type == "done"


async def test_of_an_ended_job_none_is_its_done_and_snapshot_the_state_before_it(house: House) -> None:
    job_id = await house.counted(3)
    done = await (await house.stream(job_id, replay="none")).all()
    assert [frame.type for frame in done] == ["done"]
    told = await (await house.stream(job_id, replay="snapshot")).all()
    assert [frame.type for frame in told] == ["snapshot", "done"]
    epoch, _, seq = done[0].id.partition("-")
    assert told[0].id == f"{epoch}-{int(seq) - 1}"
    assert (told[0].data["job"]["status"], told[0].data["job"]["text"]) == ("succeeded", "0;1;2;")
    assert await (await house.stream(job_id, told[0].id)).all() == done


async def test_a_cursor_wins_over_replay(house: House) -> None:
    """A browser reconnects to the address that it was given, with its last id beside it."""
    job_id = await house.counted(3)
    frames = await (await house.stream(job_id)).all()
    for replay in ("snapshot", "none", "all"):
        assert await (await house.stream(job_id, frames[2].id, replay=replay)).all() == frames[3:]
        assert await (await house.stream(job_id, after=frames[2].id, replay=replay)).all() == frames[3:]


async def test_types_lets_these_pass_and_done_and_control_events(house: House) -> None:
    job_id, actor = await house.puppet()
    stream = await house.stream(job_id, types="insight,log", replay="snapshot")
    await actor.say("no")
    actor.job.insight("yes")
    actor.job.log("info", "yes")
    actor.end()
    frames = await stream.all()
    assert [frame.type for frame in frames] == ["snapshot", "insight", "log", "done"]
    assert [frame.data["seq"] for frame in frames[1:]] == [4, 5, 6]
    assert [event["type"] for event in (await house.poll(job_id, types="insight"))["events"]] == ["insight", "done"]


async def test_a_filter_that_nothing_passes_leaves_the_done(house: House) -> None:
    job_id = await house.counted(50)
    assert [frame.type for frame in await (await house.stream(job_id, types="never")).all()] == ["done"]


async def test_all_still_shows_the_events_that_an_attempt_lost(house: House) -> None:
    """`attempt_reset` voids them for the snapshot, not for who reads the log."""
    job_id, actor = await house.puppet()
    await actor.say("kept")
    actor.fail(RuntimeError("broken"))
    frames = await (await house.stream(job_id)).all()
    assert [frame.type for frame in frames] == ["job_queued", "job_started", "token", "done"]
    assert (frames[-1].data["status"], frames[-1].data["error"]["code"]) == ("failed", "agent_error")
