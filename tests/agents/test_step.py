"""Steps and tool calls: what begins also ends, whatever happens inside, and no percentage falls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server import InvalidEvent, JobCancelled
from tests.agents.conftest import Desk


def steps(desk: Desk) -> list[tuple[str, float, str]]:
    return [(event["step"], event["pct"], event["status"]) for event in desk.said()]


async def test_a_step_starts_runs_and_finishes(desk: Desk) -> None:
    with desk.job.step("read", label="Reading", index=1, total=4) as step:
        step.progress(50, "half")
    place = {"type": "step_progress", "step": "read", "label": "Reading", "index": 1, "total": 4}
    assert desk.said() == [
        {**place, "pct": 0.0, "status": "started", "job_pct": 0.0},
        {**place, "pct": 50.0, "status": "running", "message": "half", "job_pct": 12.5},
        {**place, "pct": 100.0, "status": "finished", "job_pct": 25.0},
    ]


async def test_a_step_that_raises_has_failed_where_it_was(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError), desk.job.step("read") as step:  # noqa: PT012
        step.progress(30)
        raise ZeroDivisionError
    assert steps(desk) == [("read", 0, "started"), ("read", 30, "running"), ("read", 30, "failed")]


async def test_steps_within_steps_end_from_the_inside(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with desk.job.step("outer"):
            with desk.job.step("done"):
                pass
            async with desk.job.step("inner"):
                raise ZeroDivisionError
    assert [(name, status) for name, _, status in steps(desk)] == [
        ("outer", "started"),
        ("done", "started"),
        ("done", "finished"),
        ("inner", "started"),
        ("inner", "failed"),
        ("outer", "failed"),
    ]


async def test_what_went_wrong_inside_is_not_hidden_by_a_cancel(desk: Desk) -> None:
    def fail() -> None:
        desk.outbox.close("cancelled")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), desk.job.step("read"):
        fail()
    with pytest.raises(JobCancelled):
        desk.job.step("again").__enter__()


@pytest.mark.parametrize("kind", ["step", "tool"])
async def test_a_cancel_inside_reaches_the_agent(desk: Desk, kind: str) -> None:
    block = desk.job.step("read") if kind == "step" else desk.job.tool("search", {})
    with pytest.raises(JobCancelled):
        async with block:
            desk.outbox.close("cancelled")
    assert len(desk.said()) == 1


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0, 100))))
async def test_a_percentage_never_falls_within_its_step(told: list[tuple[str, float]]) -> None:
    desk = Desk()
    for n, (name, pct) in enumerate(told):
        if n % 2:
            desk.job.step(name).progress(pct)
        else:
            desk.job.emit("step_progress", step=name, pct=pct, status="running")
    said = steps(desk)
    for name in ("a", "b"):
        mine = [pct for step, pct, _ in said if step == name]
        assert mine == sorted(mine)
        assert max(mine, default=0) == round(max([pct for step, pct in told if step == name], default=0), 1)


@given(st.permutations([1, 2, 3]), st.floats(0, 100))
async def test_the_jobs_percentage_never_falls_whatever_the_order_of_its_steps(order: list[int], pct: float) -> None:
    desk = Desk()
    for index in order:
        with desk.job.step(f"s{index}", index=index, total=3) as step:
            step.progress(pct)
    told = [event["job_pct"] for event in desk.said()]
    assert told == sorted(told)
    assert told[-1] == 100.0


async def test_a_step_that_begins_again_goes_on_from_where_it_was(desk: Desk) -> None:
    for _ in range(2):
        with desk.job.step("read"):
            pass
    assert [pct for _, pct, _ in steps(desk)] == [0, 100, 100, 100]


@pytest.mark.parametrize(("index", "total"), [(5, 4), (0, 4), (-3, 2), (1, 0), (1, -1), (None, 4), (1, None)])
async def test_an_odd_place_among_the_steps_makes_no_odd_percentage(desk: Desk, index: Any, total: Any) -> None:
    with desk.job.step("read", index=index, total=total):
        pass
    assert all(0 <= event.get("job_pct", 0) <= 100 for event in desk.said())


@pytest.mark.parametrize("pct", [-0.1, 100.1, float("nan"), float("inf"), "50%", None, object(), 10**400])
async def test_progress_is_a_percentage(desk: Desk, pct: Any) -> None:
    with pytest.raises(InvalidEvent, match="percentage"):
        desk.job.step("read").progress(pct)
    assert desk.said() == []


async def test_refused_progress_changes_nothing(desk: Desk) -> None:
    step = desk.job.step("read")
    with pytest.raises(InvalidEvent):
        desk.job.emit("step_progress", step="read", pct=90, status="sleeping")
    step.progress(10)
    assert steps(desk) == [("read", 10, "running")]


async def test_a_tool_call_has_its_result(desk: Desk) -> None:
    with desk.job.tool("search", {"q": "x"}) as call:
        call.result([1, {"a": None}])
    async with desk.job.tool("search", {}) as call:
        call.result(None)
    assert desk.said() == [
        {"type": "tool_call", "call_id": "call_2_1", "tool": "search", "arguments": {"q": "x"}},
        {"type": "tool_result", "call_id": "call_2_1", "tool": "search", "result": [1, {"a": None}]},
        {"type": "tool_call", "call_id": "call_2_2", "tool": "search", "arguments": {}},
        {"type": "tool_result", "call_id": "call_2_2", "tool": "search", "result": None},
    ]


async def test_a_tool_call_without_a_result_has_ended_too(desk: Desk) -> None:
    with desk.job.tool("save", {}):
        pass
    assert desk.said()[1] == {"type": "tool_result", "call_id": "call_2_1", "tool": "save"}


async def test_a_tool_call_that_raises_tells_what_and_not_why(desk: Desk) -> None:
    with pytest.raises(ValueError, match="secret"), desk.job.tool("search", {}) as call:  # noqa: PT012
        call.result("half")
        raise ValueError("secret")
    assert desk.said()[1] == {"type": "tool_result", "call_id": "call_2_1", "tool": "search", "error": "ValueError"}


async def test_a_tool_that_fails_can_say_so_in_words(desk: Desk) -> None:
    with desk.job.tool("search", {}) as call:
        call.error("no such city")
    assert desk.said()[1] == {"type": "tool_result", "call_id": "call_2_1", "tool": "search", "error": "no such city"}


async def test_a_tool_whose_task_is_cancelled_has_ended_too(desk: Desk) -> None:
    async def work() -> None:
        async with desk.job.tool("search", {}):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert [event["type"] for event in desk.said()] == ["tool_call", "tool_result"]


async def test_a_result_that_is_no_json_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidEvent), desk.job.tool("search", {}) as call:
        call.result(object())
    with pytest.raises(InvalidEvent), desk.job.tool("search", {"x": object()}):
        pytest.fail("a call that could not begin")
