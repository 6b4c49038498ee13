"""The table of a job's states, and the fold of its events: total, and void where an attempt was."""

from __future__ import annotations

from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from sse_server.encoding import encode_fields
from sse_server.events import JOB_EVENTS, RUNNER_TYPES, Event
from sse_server.jobs import (
    ACTIVE,
    TRANSITIONS,
    JobState,
    ToolState,
    Work,
    fold,
    new_job_id,
)


def events(*said: tuple[str, dict[str, Any]], attempt: int = 1, first: int = 1) -> list[Event]:
    """Events in a row, of one attempt."""
    return [
        Event(seq, kind, "job_1", attempt, 1_000_000 + seq, encode_fields(fields))
        for seq, (kind, fields) in enumerate(said, first)
    ]


def worked(*said: tuple[str, dict[str, Any]]) -> Work:
    """What the events add up to."""
    return fold(events(*said)).work


def step(name: str, pct: float, **more: Any) -> tuple[str, dict[str, Any]]:
    return "step_progress", {"step": name, "pct": pct, "status": "running", **more}


def token(text: str) -> tuple[str, dict[str, Any]]:
    return "token", {"text": text}


def usage(tokens: int, cost: float | None, model: str = "m") -> tuple[str, dict[str, Any]]:
    return "usage", {"tokens_in": tokens, "tokens_out": 2 * tokens, "cost_usd": cost, "model": model}


def call(call_id: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "tool_call", {"call_id": call_id, "tool": "search", **more}


def result(call_id: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "tool_result", {"call_id": call_id, "tool": "search", **more}


def done(status: str = "succeeded", reason: str = "stop", **more: Any) -> tuple[str, dict[str, Any]]:
    return "done", {"status": status, "finish_reason": reason, **more}


def raw(value: Raw | object) -> Any:
    assert isinstance(value, Raw)
    return msgspec.json.decode(value)


QUEUED = ("job_queued", {"agent": "a", "position": 0})
STARTED = ("job_started", {"agent": "a"})
RESET = ("attempt_reset", {"from_seq": 2, "reason": "error"})


def test_a_job_waits_runs_and_ends() -> None:
    state = JobState()
    seen = []
    for event in events(QUEUED, STARTED, token("a"), done()):
        state.apply(event)
        seen.append(state.status)
    assert seen == ["queued", "running", "running", "succeeded"]
    assert (state.first, state.last, state.attempt_seq, state.started) == (1, 4, 2, 1_000_002)


def test_the_table_names_every_turn_but_the_end() -> None:
    assert TRANSITIONS == {
        (None, "job_queued"): "queued",
        ("queued", "job_started"): "running",
        ("running", "attempt_reset"): "queued",
    }
    assert {kind for _, kind in TRANSITIONS} | {"done"} == RUNNER_TYPES
    assert set(TRANSITIONS.values()) == ACTIVE


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("before", [[QUEUED], [QUEUED, STARTED]])
def test_done_ends_a_job_in_any_state_with_the_status_it_carries(before: list[Any], status: str) -> None:
    state = fold(events(*before, done(status, "stop", result={"a": [1]}, error={"code": "c", "message": "m"})))
    assert state.status == status
    assert state.done is not None
    assert state.done.event.seq == len(before) + 1
    assert raw(state.done.ending.result) == {"a": [1]}
    assert state.done.ending.error is not None
    assert state.done.ending.error.code == "c"


def test_no_event_of_an_agent_turns_a_job() -> None:
    for kind in JOB_EVENTS.keys() - RUNNER_TYPES | {"own_type"}:
        for status in ("queued", "running"):
            state = JobState(status=status)
            state.apply(Event(1, kind, "job_1", 1, 1, b"{}"))
            assert state.status == status


def test_a_done_that_nobody_can_read_still_ends_its_job() -> None:
    for body in (b"{}", b"[]", b"{", b'{"status":"running","finish_reason":"stop"}', b"\xff"):
        state = fold([*events(QUEUED), Event(2, "done", "job_1", 1, 1, body)])
        assert (state.status, state.done is not None) == ("failed", True)


def test_tokens_add_up_to_the_text() -> None:
    work = worked(token("a"), token(""), token("bc"))
    assert (work.text, work.truncated) == ("abc", False)


def test_a_step_keeps_its_latest_progress_and_what_it_said_once() -> None:
    work = worked(
        step("read", 0, label="Reading", message="page 1", index=1, total=2),
        step("read", 50, message="page 2"),
        step("read", 100, status="finished"),
        step("write", 10.5, job_pct=60),
    )
    assert list(work.steps) == ["read", "write"]
    read = work.steps["read"]
    assert (read.label, read.pct, read.status, read.message) == ("Reading", 100, "finished", "page 2")
    assert work.steps["write"].pct == 10.5
    assert work.job_pct == 60


def test_the_jobs_percentage_never_falls_and_ends_at_100() -> None:
    assert worked(step("a", 1, job_pct=50), step("b", 1, job_pct=20), step("c", 1)).job_pct == 50
    assert worked(step("a", 1, job_pct=50), done()).job_pct == 100
    assert worked(step("a", 1, job_pct=50), done("failed", "error")).job_pct == 50


def test_a_tool_is_its_call_and_its_result() -> None:
    work = worked(
        call("1", arguments={"q": 1}), call("2", arguments={}), result("1", result=[1]), result("2", error="no")
    )
    first, second = work.tools["1"], work.tools["2"]
    assert (raw(first.arguments), raw(first.result), first.error) == ({"q": 1}, [1], None)
    assert (raw(second.arguments), second.result, second.error) == ({}, UNSET, "no")


def test_a_tools_result_of_null_is_a_result() -> None:
    assert raw(worked(result("1", result=None)).tools["1"].result) is None


def test_usage_is_the_sum_and_its_price_unknown_once_one_was() -> None:
    total = worked(usage(1, 0.5), usage(2, 0.25, "n")).usage
    assert total is not None
    assert (total.tokens_in, total.tokens_out, total.cost_usd, total.model) == (3, 6, 0.75, "n")
    total = worked(usage(1, 0.5), usage(2, None), usage(3, 0.5)).usage
    assert total is not None
    assert (total.tokens_in, total.cost_usd) == (6, None)


def test_a_specialist_is_its_latest_update() -> None:
    updates = [("specialist_update", {"specialist": "s", "status": word}) for word in ("busy", "ready")]
    assert [s.status for s in worked(*updates).specialists.values()] == ["ready"]


GOOD = [
    token("a"),
    step("s", 50, label="l", job_pct=40),
    ("insight", {"text": "i"}),
    call("1", arguments={"q": 1}),
    result("1", result={"r": 1}),
    ("specialist_update", {"specialist": "s", "status": "busy"}),
    usage(1, 0.5),
]
wrong: st.SearchStrategy[Any] = st.sampled_from([None, 5, -1, "x", [], {}, [[]], True, 1e300, 2**70, Raw(b"1e999")])
crooked = st.tuples(
    st.sampled_from(sorted(JOB_EVENTS.keys() - RUNNER_TYPES)),
    st.dictionaries(
        st.sampled_from(["text", "step", "pct", "status", "label", "job_pct", "index", "call_id", "tool", "arguments",
                         "result", "error", "specialist", "message", "tokens_in", "tokens_out", "cost_usd", "model"]),
        wrong, max_size=6,
    ),
)  # fmt: skip
torn = st.tuples(st.sampled_from(sorted(JOB_EVENTS.keys() - RUNNER_TYPES)), st.binary(max_size=20))


@given(st.lists(crooked | torn | st.sampled_from(GOOD), max_size=20))
def test_no_event_of_an_agent_makes_the_fold_fail(said: list[Any]) -> None:
    state = JobState()
    for seq, (kind, fields) in enumerate(said, 1):
        body = fields if isinstance(fields, bytes) else encode_fields(fields)
        state.apply(Event(seq, kind, "job_1", 1, 1, body))
    assert state.last == len(said)
    written = msgspec.json.encode(state.work)
    assert msgspec.json.encode(msgspec.json.decode(written, type=Work)) == written


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("token", {"text": 5}),
        ("token", {}),
        ("step_progress", {"step": "s", "pct": "50", "status": "running", "job_pct": 90}),
        ("step_progress", {"step": "s", "pct": 50, "status": "running", "job_pct": "90"}),
        ("insight", {"text": None}),
        ("tool_call", {"call_id": 1, "tool": "t"}),
        ("specialist_update", {"specialist": "s"}),
        ("usage", {"tokens_in": -1, "tokens_out": 1, "cost_usd": None, "model": "m"}),
        ("usage", {"tokens_in": 2**60, "tokens_out": 1, "cost_usd": None, "model": "m"}),
        ("usage", {"tokens_in": 1, "tokens_out": 1, "cost_usd": None}),
    ],
)
def test_an_event_that_is_not_of_its_form_adds_nothing(kind: str, fields: dict[str, Any]) -> None:
    assert worked(*GOOD, (kind, fields), *GOOD) == worked(*GOOD, *GOOD)
    assert worked((kind, fields)) == Work()


def test_an_attempt_reset_voids_what_the_attempt_said() -> None:
    state = fold([*events(QUEUED, STARTED, *GOOD), *events(RESET, attempt=2, first=10)])
    assert state.work == Work()
    assert (state.status, state.attempt, state.started) == ("queued", 2, 1_000_002)


@given(st.lists(st.lists(st.sampled_from(GOOD), max_size=6), min_size=1, max_size=5))
def test_the_fold_is_that_of_the_events_that_are_not_void(attempts: list[list[Any]]) -> None:
    """Void are a job's events of a lower attempt from `from_seq` on: the rule that clients apply."""
    seq = count(1)
    log = [Event(next(seq), "job_queued", "job_1", 1, 1, b"{}")]
    for number, said in enumerate(attempts, 1):
        started = next(seq)
        log.append(Event(started, "job_started", "job_1", number, 1, b"{}"))
        log += [Event(next(seq), kind, "job_1", number, 1, encode_fields(fields)) for kind, fields in said]
        if number < len(attempts):
            body = encode_fields({"from_seq": started, "reason": "error"})
            log.append(Event(next(seq), "attempt_reset", "job_1", number + 1, 1, body))
    resets = [(msgspec.json.decode(e.body)["from_seq"], e.attempt) for e in log if e.type == "attempt_reset"]
    valid = [e for e in log if not any(e.attempt < attempt and e.seq >= start for start, attempt in resets)]
    work = Work()
    for event in valid:
        work.apply(event.type, event.body)
    assert fold(log).work == work


@given(st.lists(st.sampled_from(GOOD), max_size=30), st.integers(0, 30))
def test_a_state_that_was_written_and_read_goes_on_as_if_it_had_not(said: list[Any], pause: int) -> None:
    log = events(QUEUED, STARTED, *said, done(result={"a": 1}))
    state = fold(log[:pause])
    state = msgspec.json.decode(msgspec.json.encode(state), type=JobState)
    for event in log[pause:]:
        state.apply(event)
    assert state == fold(log)


def test_a_tool_without_values_is_written_without_them() -> None:
    assert msgspec.json.encode(ToolState("1", "t")) == b'{"call_id":"1","tool":"t"}'


def test_job_ids_sort_by_time_and_cannot_be_guessed() -> None:
    ids = [new_job_id(time) for time in (0, 1, 10**9, 10**15, 10**15 + 1, 2**55)]
    assert ids == sorted(ids)
    assert len({new_job_id(1) for _ in range(100)}) == 100
