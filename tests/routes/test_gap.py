"""What can't be had is said: a gap first, then a snapshot that makes up for it, then what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened

every_store = pytest.mark.parametrize("kind", ["memory", "sqlite"])

UNREADABLE = [
    "nonsense",
    "-1",
    "1",
    "00",
    "{epoch}-01",
    "{epoch}-٣",
    "{epoch}--1",
    "{epoch}-1.5",
    "{epoch}-1e3",
    "{epoch}-99999999999999999999999",
    "E{epoch}-1",
    "☃",
    "../../etc/passwd",
    "<script>",
    "x" * 8000,
    'quote"backslash\\',
]


def unreadable(epoch: str) -> list[str]:
    return [text.replace("{epoch}", epoch) for text in UNREADABLE]


async def epoch_of(house: House, job_id: str) -> str:
    return str((await house.poll(job_id, limit=1))["next"]).partition("-")[0]


@every_store
async def test_an_unreadable_cursor_is_a_gap_then_a_snapshot_at_the_head_then_what_follows(house: House) -> None:
    job_id, actor = await house.puppet()
    await actor.say("one ", "two")
    epoch = await epoch_of(house, job_id)
    for n, cursor in enumerate(unreadable(epoch)):
        for stream in (await house.stream(job_id, cursor), await house.stream(job_id, after=cursor)):
            gap, snapshot = await stream.next(), await stream.next()
            assert gap.data == {
                "type": "gap",
                "after": cursor[:128],
                "first_available": f"{epoch}-1",
                "reason": "unreadable",
            }
            assert gap.id == ""
            assert snapshot.type == "snapshot"
            assert snapshot.id == snapshot.data["last_event_id"] == f"{epoch}-{4 + n}"
            assert snapshot.data["job"]["text"] == "one two" + "." * n
            await stream.close()
        await actor.say(".")


@every_store
@pytest.mark.parametrize("sent", [b"\xff\xfe", b"\xed\xa0\x80", b"caf\xe9"])
async def test_a_cursor_that_is_no_text_is_unreadable_like_any_other(sent: bytes, house: House) -> None:
    job_id, _ = await house.puppet()
    stream = await house.stream(job_id, sent.decode("utf-8", "surrogateescape"))
    gap = await stream.next()
    assert gap.data["reason"] == "unreadable"
    assert (await stream.next()).type == "snapshot"


@every_store
async def test_a_cursor_of_another_life_of_the_log_is_a_gap(house: House) -> None:
    job_id, actor = await house.puppet()
    stream = await house.stream(job_id, "0123456789-2")
    gap, snapshot = await stream.next(), await stream.next()
    assert gap.data["reason"] == "epoch"
    await actor.say("on")
    assert (await stream.next()).data["text"] == "on"
    assert snapshot.data["job"]["status"] == "running"


@every_store
async def test_a_cursor_beyond_the_head_is_ahead(house: House) -> None:
    job_id, actor = await house.puppet()
    epoch = await epoch_of(house, job_id)
    for seq in (3, 100, 999_999_999_999_999_999):
        stream = await house.stream(job_id, f"{epoch}-{seq}")
        assert (await stream.next()).data["reason"] == "ahead"
        assert (await stream.next()).id == f"{epoch}-2"
        await stream.close()
    stream = await house.stream(job_id, f"{epoch}-3")
    await stream.next()
    await stream.next()
    await actor.say("three")
    assert (await stream.next()).id == f"{epoch}-3"


@every_store
async def test_a_cursor_before_what_is_kept_is_trimmed(kind: str, opened: Opened) -> None:
    async with opened(kind, max_job_events=20) as house:
        job_id, actor = await house.puppet()
        await actor.say(*map(str, range(100)))
        epoch = await epoch_of(house, job_id)
        first = (await house.poll(job_id))["events"][0]["seq"]
        assert first > 70
        for cursor in ("0", f"{epoch}-0", f"{epoch}-1", f"{epoch}-{first - 2}"):
            stream = await house.stream(job_id, cursor)
            gap, snapshot = await stream.next(), await stream.next()
            assert (gap.data["reason"], gap.data["after"]) == ("trimmed", cursor)
            assert gap.data["first_available"] == f"{epoch}-{first}"
            assert snapshot.data["job"]["text"] == "".join(map(str, range(100)))
            await stream.close()
        stream = await house.stream(job_id, f"{epoch}-{first - 1}")  # exactly all that follows is kept
        assert (await stream.next()).data["seq"] == first
        stream = await house.stream(job_id)  # without a cursor: every event kept, and that is no gap
        assert (await stream.next()).data["seq"] == first


@every_store
async def test_a_gap_is_judged_on_the_log_before_the_filter_of_types(kind: str, opened: Opened) -> None:
    async with opened(kind, max_job_events=20) as house:
        job_id, actor = await house.puppet()
        await actor.say(*["x"] * 100)
        stream = await house.stream(job_id, "0", types="insight")
        assert [(await stream.next()).type for _ in range(2)] == ["gap", "snapshot"]
        actor.job.insight("found")
        assert (await stream.next()).type == "insight"


@every_store
@pytest.mark.parametrize("cursor", ["nonsense", "0123456789-2"])
async def test_on_an_ended_job_gap_and_snapshot_stand_before_its_done(cursor: str, house: House) -> None:
    job_id = await house.counted(3)
    frames = await (await house.stream(job_id, cursor)).all()
    epoch = await epoch_of(house, job_id)
    assert [frame.type for frame in frames] == ["gap", "snapshot", "done"]
    assert [frame.id for frame in frames] == ["", f"{epoch}-5", f"{epoch}-6"]
    assert frames[1].data["job"]["status"] == "succeeded"
    assert frames[1].data["job"]["text"] == "0;1;2;"


@every_store
async def test_who_has_seen_the_end_gets_204(house: House) -> None:
    job_id = await house.counted(1)
    epoch = await epoch_of(house, job_id)
    for seq in ("4", "5", "999999999999999999"):
        for answer in (
            await house.get(f"/api/jobs/{job_id}/stream", {"Last-Event-ID": f"{epoch}-{seq}"}),
            await house.get(f"/api/jobs/{job_id}/stream", after=f"{epoch}-{seq}"),
        ):
            assert (answer.status, answer.body) == (204, b"")
            assert "content-type" not in answer.headers
    for seq in ("0", "1", "3"):
        stream = await house.stream(job_id, f"{epoch}-{seq}")
        assert (await stream.all())[-1].type == "done"


@every_store
async def test_a_cursor_in_the_header_wins_over_a_bad_one_in_the_query(house: House) -> None:
    job_id = await house.counted(2)
    epoch = await epoch_of(house, job_id)
    for bad in ("nonsense", "\0", "x" * 5000, f"{epoch}-99"):
        frames = await (await house.stream(job_id, f"{epoch}-4", after=bad)).all()
        assert [frame.id for frame in frames] == [f"{epoch}-5"]


@every_store
async def test_an_empty_header_is_none(house: House) -> None:
    """As a client's that has no last id yet (WHATWG HTML, 9.2.3)."""
    job_id = await house.counted(2)
    epoch = await epoch_of(house, job_id)
    assert len(await (await house.stream(job_id, "")).all()) == 5
    assert len(await (await house.stream(job_id, "", after=f"{epoch}-4")).all()) == 1


@every_store
async def test_zero_is_the_cursor_before_any_event(house: House) -> None:
    job_id = await house.counted(2)
    assert (await (await house.stream(job_id, "0")).all()) == await (await house.stream(job_id)).all()
    assert (await house.poll(job_id, after="0"))["events"] == (await house.poll(job_id))["events"]


# ---------------------------------------------------------------- where the log has let go of a job's end


async def outlived(house: House) -> tuple[str, str]:
    """An ended job whose events, `done` too, a neighbour in its session has pushed out; and the log's epoch."""
    job_id = await house.counted(3, session_id="crowded")
    await house.counted(100, session_id="crowded")
    page = (await house.get("/api/sessions/crowded/events", limit=1)).json
    assert page["events"][0]["seq"] > 10
    return job_id, page["next"].partition("-")[0]


CURSORS = ["0", "{}-1", "{}-5", "nonsense", "0123456789-1"]


@every_store
@pytest.mark.parametrize("cursor", CURSORS)
async def test_a_done_that_was_trimmed_is_kept_by_its_job(cursor: str, kind: str, opened: Opened) -> None:
    async with opened(kind, max_job_events=20) as house:
        job_id, epoch = await outlived(house)
        frames = await (await house.stream(job_id, cursor.format(epoch))).all()
        assert [(frame.type, frame.id) for frame in frames] == [
            ("gap", ""),
            ("snapshot", f"{epoch}-5"),
            ("done", f"{epoch}-6"),
        ]
        assert frames[1].data["job"]["text"] == "0;1;2;"
        assert frames[2].data["result"] == {"counted": 3}


@every_store
@pytest.mark.parametrize(
    ("replay", "types"), [("all", ["done"]), ("none", ["done"]), ("snapshot", ["snapshot", "done"])]
)
async def test_without_a_cursor_too(replay: str, types: list[str], kind: str, opened: Opened) -> None:
    async with opened(kind, max_job_events=20) as house:
        job_id, epoch = await outlived(house)
        frames = await (await house.stream(job_id, replay=replay)).all()
        assert [frame.type for frame in frames] == types
        answer = await house.get(f"/api/jobs/{job_id}/stream", {"Last-Event-ID": f"{epoch}-6"})
        assert answer.status == 204


@every_store
@pytest.mark.parametrize("cursor", [None, *CURSORS])
async def test_a_poll_is_told_the_same_and_at_once(cursor: str | None, kind: str, opened: Opened) -> None:
    async with opened(kind, max_job_events=20) as house:
        job_id, epoch = await outlived(house)
        query: dict[str, Any] = {"after": cursor.format(epoch)} if cursor else {}
        page = await house.poll(job_id, wait=25, **query)
        assert ([event["type"] for event in page["events"]], page["done"]) == (["done"], True)
        assert page["next"] == f"{epoch}-6"
        assert ("gap" in page) == ("snapshot" in page) == (cursor is not None)
        assert (await house.poll(job_id, after=page["next"], wait=25))["done"] is True
