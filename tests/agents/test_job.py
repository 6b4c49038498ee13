"""Every emitter of a `Job`: what it writes, from any thread, and what it refuses."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import msgspec
import pytest

from sse_server import InvalidEvent, Job, JobCancelled
from sse_server.events import CONTROL_TYPES, ENVELOPE, JOB_EVENTS, RUNNER_TYPES, Draft, Event
from tests.agents.conftest import Desk

Emit = Callable[[Job], None]


def in_thread(work: Callable[[], None]) -> None:
    """Do it in a thread of its own, and fail with it."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


EMITTERS: list[tuple[Emit, dict[str, Any]]] = [
    (lambda job: job.insight("found"), {"type": "insight", "text": "found"}),
    (
        lambda job: job.insight("found", step="read", category="fit", data={"a": [1, None]}),
        {"type": "insight", "text": "found", "step": "read", "category": "fit", "data": {"a": [1, None]}},
    ),
    (lambda job: job.token("to"), {"type": "token", "text": "to"}),
    (
        lambda job: job.token("", step="write", message_id="m"),
        {"type": "token", "text": "", "step": "write", "message_id": "m"},
    ),
    (
        lambda job: job.specialist("flights", "busy"),
        {"type": "specialist_update", "specialist": "flights", "status": "busy"},
    ),
    (
        lambda job: job.specialist("flights", "done", "found 3"),
        {"type": "specialist_update", "specialist": "flights", "status": "done", "message": "found 3"},
    ),
    (
        lambda job: job.usage(tokens_in=3, tokens_out=0, model="m"),
        {"type": "usage", "tokens_in": 3, "tokens_out": 0, "cost_usd": None, "model": "m"},
    ),
    (
        lambda job: job.usage(tokens_in=3, tokens_out=4, model="m", cost_usd=0.5),
        {"type": "usage", "tokens_in": 3, "tokens_out": 4, "cost_usd": 0.5, "model": "m"},
    ),
    (lambda job: job.log("warning", "hot"), {"type": "log", "level": "warning", "message": "hot"}),
    (
        lambda job: job.step("read").progress(12.34, "half"),
        {"type": "step_progress", "step": "read", "pct": 12.3, "status": "running", "message": "half"},
    ),
    (lambda job: job.emit("mine"), {"type": "mine"}),
    (
        lambda job: job.emit("mine", id="x", self=1, named={"data": True}),
        {"type": "mine", "id": "x", "self": 1, "named": {"data": True}},
    ),
    (lambda job: job.emit(type="token", text="to"), {"type": "token", "text": "to"}),
]


@pytest.mark.parametrize("where", ["loop", "thread"])
@pytest.mark.parametrize(("emit", "event"), EMITTERS)
async def test_every_emitter_writes_its_event(desk: Desk, where: str, emit: Emit, event: dict[str, Any]) -> None:
    if where == "loop":
        emit(desk.job)
    else:
        in_thread(lambda: emit(desk.job))
    assert desk.said() == [event]


@pytest.mark.parametrize("emit", [emit for emit, _ in EMITTERS])
async def test_what_is_emitted_reads_as_the_event_that_the_protocol_describes(desk: Desk, emit: Emit) -> None:
    emit(desk.job)
    (draft,) = desk.drafts()
    stored = Event(7, draft.type, "job_1", draft.attempt, draft.time, draft.body).json("s")
    read = msgspec.json.decode(stored)
    assert read["attempt"] == 2
    if draft.type in JOB_EVENTS:
        assert msgspec.convert(read, JOB_EVENTS[draft.type]).seq == 7


async def test_each_thread_keeps_its_order_among_many(desk: Desk) -> None:
    threads, each = 8, 500
    together = Barrier(threads)

    def work(mine: int) -> None:
        together.wait()
        for n in range(each):
            desk.job.emit("mine", thread=mine, n=n)

    running = [Thread(target=work, args=(mine,)) for mine in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    order = defaultdict(list)
    for event in desk.said():
        order[event["thread"]].append(event["n"])
    assert dict(order) == {mine: list(range(each)) for mine in range(threads)}


async def test_a_step_that_many_threads_report_never_falls(desk: Desk) -> None:
    """Each tells what all have done so far; who was late to tell must not tell less."""
    threads, each = 8, 400
    together = Barrier(threads)
    step = desk.job.step("read", index=1, total=2)
    done = 0

    def work() -> None:
        nonlocal done
        together.wait()
        for _ in range(each):
            done += 1
            step.progress(min(100.0, done / (threads * each) * 100))

    running = [Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    said = desk.said()
    assert len(said) == threads * each
    assert [e["pct"] for e in said] == sorted(e["pct"] for e in said)
    assert [e["job_pct"] for e in said] == sorted(e["job_pct"] for e in said)


@pytest.mark.parametrize("kind", sorted(CONTROL_TYPES | RUNNER_TYPES | {"connection", "keepalive"}))
async def test_a_type_that_the_server_writes_is_refused(desk: Desk, kind: str) -> None:
    with pytest.raises(InvalidEvent, match="itself"):
        desk.job.emit(kind)


@pytest.mark.parametrize("field", sorted(ENVELOPE - {"type"}))
@pytest.mark.parametrize("kind", ["mine", "token"])
async def test_a_field_that_the_server_writes_is_refused(desk: Desk, kind: str, field: str) -> None:
    with pytest.raises(InvalidEvent, match=field):
        desk.job.emit(kind, **{field: 1})


@pytest.mark.parametrize(
    "kind", ["", "Mine", "9mine", "_mine", "my type", "mine\n", "a" * 65, "mïne", "\ud800", None, 7, b"mine"]
)
async def test_a_type_that_no_stream_could_name_is_refused(desk: Desk, kind: Any) -> None:
    with pytest.raises(InvalidEvent, match="type"):
        desk.job.emit(kind)


def looped() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("mine", {"x": object()}),
        ("mine", {"x": looped()}),
        ("mine", {"x": {(1, 2): 3}}),
        ("mine", {"x": "y" * 1024 * 1024}),
        ("mine", {"x": msgspec.Raw(b"{")}),
        ("token", {}),
        ("token", {"text": 7}),
        ("token", {"text": None}),
        ("token", {"text": "x", "colour": "red"}),
        ("insight", {"text": "x", "data": [1]}),
        ("tool_call", {"call_id": "1", "tool": "t", "arguments": "x"}),
        ("usage", {"tokens_in": -1, "tokens_out": 0, "cost_usd": None, "model": "m"}),
        ("usage", {"tokens_in": 2**60, "tokens_out": 0, "cost_usd": None, "model": "m"}),
        ("step_progress", {"step": "s", "pct": 101, "status": "running"}),
        ("step_progress", {"step": "s", "pct": -1, "status": "running"}),
        ("step_progress", {"step": "s", "pct": float("nan"), "status": "running"}),
        ("step_progress", {"step": "s", "pct": 50, "status": "sleeping"}),
        ("step_progress", {"step": ["s"], "pct": 50, "status": "running"}),
    ],
)
async def test_what_the_log_can_not_hold_is_refused_where_it_is_emitted(
    desk: Desk, kind: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(InvalidEvent):
        desk.job.emit(kind, **fields)
    assert desk.said() == []


@pytest.mark.parametrize("level", ["loud", "", None, [], "INFO"])
async def test_a_log_level_is_one_of_four(desk: Desk, level: Any) -> None:
    with pytest.raises(InvalidEvent, match="level"):
        desk.job.log(level, "x")


async def test_text_that_would_break_a_frame_is_whole(desk: Desk) -> None:
    text = "a\r\n\nid: 9\rdata:\0\u2028\x7f\ufeff"
    desk.job.token(text)
    (draft,) = desk.drafts()
    assert not set(draft.body) & set(b"\r\n\0")
    assert msgspec.json.decode(draft.body) == {"text": text}


async def test_a_lone_surrogate_becomes_a_replacement(desk: Desk) -> None:
    desk.job.emit("mine", text="a\ud83d", more={"\udc00": ["\ud800"]})
    assert desk.said() == [{"type": "mine", "text": "a\ufffd", "more": {"\ufffd": ["\ufffd"]}}]


async def test_a_cancelled_job_emits_no_more(desk: Desk) -> None:
    desk.job.token("before")
    desk.outbox.close("the job was cancelled")
    assert desk.job.cancelled
    for emit, _ in EMITTERS:
        with pytest.raises(JobCancelled, match="the job was cancelled"):
            emit(desk.job)
        with pytest.raises(JobCancelled):
            in_thread(lambda emit=emit: emit(desk.job))  # type: ignore[misc]
    assert desk.said() == [{"type": "token", "text": "before"}]


async def test_an_agent_that_goes_on_emitting_after_its_end_collects_nothing(desk: Desk) -> None:
    """Each refusal is an exception of its own: one that is raised again and again would grow with every raise."""
    desk.outbox.close("over")
    raised = []
    for _ in range(3):
        with pytest.raises(JobCancelled) as refused:
            desk.job.token("x")
        raised.append(refused.value)
    assert len({id(error) for error in raised}) == 3


async def test_the_loop_is_woken_once_for_a_burst(desk: Desk) -> None:
    for _ in range(10):
        desk.job.token("x")
    assert desk.woken == 1
    in_thread(lambda: desk.job.token("x"))
    assert len(desk.said()) == 11
    assert desk.drafts() == []
    desk.job.token("x")
    assert desk.woken == 2


async def test_a_thread_wakes_the_loop(desk: Desk) -> None:
    in_thread(lambda: desk.job.token("x"))
    assert desk.woken == 0
    await asyncio.sleep(0)
    assert desk.woken == 1


async def test_flush_returns_when_all_before_it_is_stored_and_not_sooner(desk: Desk) -> None:
    desk.job.token("1")
    desk.job.token("2")
    flushing = asyncio.create_task(desk.job.flush())
    await asyncio.sleep(0)
    desk.job.token("3")
    desk.outbox.take(1)
    desk.outbox.settle()
    await asyncio.sleep(0)
    assert not flushing.done()
    desk.outbox.take(1)
    await asyncio.sleep(0)
    assert not flushing.done()
    desk.outbox.settle()
    await flushing
    assert [draft.body for draft in desk.drafts()] == [b'{"text":"3"}']


async def test_flush_waits_for_what_came_since_others_were_stored(desk: Desk) -> None:
    desk.job.token("1")
    desk.drafts()
    desk.job.token("2")
    first = asyncio.create_task(desk.job.flush())
    await asyncio.sleep(0)
    desk.job.token("3")
    second = asyncio.create_task(desk.job.flush())
    await asyncio.sleep(0)
    assert len(desk.drafts(1)) == 1
    await first
    assert not second.done()
    desk.drafts()
    await second


async def test_flush_of_nothing_returns_at_once(desk: Desk) -> None:
    await desk.job.flush()


async def test_flush_of_a_job_that_was_taken_away_returns(desk: Desk) -> None:
    desk.job.token("1")
    flushing = asyncio.create_task(desk.job.flush())
    await asyncio.sleep(0)
    desk.outbox.discard()
    await flushing
    with pytest.raises(JobCancelled):
        desk.job.token("2")


async def test_flush_works_from_a_loop_that_an_agent_runs_in_its_thread(desk: Desk) -> None:
    def agent() -> None:
        desk.job.token("x")
        asyncio.run(desk.job.flush())

    flushing = asyncio.create_task(asyncio.to_thread(agent))
    while not (drafts := desk.outbox.take(10)):  # noqa: ASYNC110  (its waking is tested above)
        await asyncio.sleep(0)
    assert [draft.body for draft in drafts] == [b'{"text":"x"}']
    assert not flushing.done()
    desk.outbox.settle()
    await flushing


async def test_the_runners_last_word_stands_behind_all_that_was_emitted(desk: Desk) -> None:
    desk.job.token("x")
    desk.outbox.finish(Draft("done", b"{}", 0))
    with pytest.raises(JobCancelled, match="over"):
        desk.job.token("y")
    assert [draft.type for draft in desk.drafts()] == ["token", "done"]
