"""Whatever happens in whatever order, each reader's story is the log's: every event once and in order, or a gap told.

Jobs in one session emit, retention trims behind them, the server is restarted; readers come with all kinds of cursors,
read a little, lose the line, come back, and change between stream and polling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.routes.conftest import Actor, House, Opened, Stream

KEEP = 20
LIMIT = 1000
Event = dict[str, Any]


class Truth:
    """What was stored, as a witness saw it who never missed a page. Each job's events, and what its text was when."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.events: dict[str, list[Event]] = {}
        self.last_id = "0"

    async def look(self) -> None:
        page = (await self.house.get("/api/sessions/shared/events", after=self.last_id, limit=LIMIT)).json
        assert "gap" not in page
        assert len(page["events"]) < LIMIT
        self.last_id = page["next"]
        for event in page["events"]:
            self.events.setdefault(event["job_id"], []).append(event)

    def after(self, job_id: str, seq: int) -> list[Event]:
        return [event for event in self.events.get(job_id, []) if event["seq"] > seq]

    def text(self, job_id: str, seq: int) -> str:
        return "".join(event.get("text", "") for event in self.events[job_id] if event["seq"] <= seq)


class Reader:
    """A client that checks each thing that it is told against the truth."""

    def __init__(self, truth: Truth, job_id: str, cursor: str | None, **query: Any) -> None:
        self.truth = truth
        self.job_id = job_id
        self.cursor = cursor
        self.query = query
        self.seq: int | None = None
        """Where it is; None until it has been told anything."""
        self.gap: Event | None = None
        self.ended = False
        self._stream: Stream | None = None
        known = truth.last_id.partition("-")[0]
        if (
            cursor
            and cursor.startswith(f"{known}-")
            and int(cursor.partition("-")[2]) <= int(truth.last_id.partition("-")[2])
        ):
            self.seq = int(cursor.partition("-")[2])

    async def read_to(self, seq: int) -> None:
        """Read until it has passed that event, or the job's end."""
        while not self.ended and (self.seq is None or self.seq < seq):
            if self._stream is None and not await self._open():
                return
            assert self._stream
            frame = await self._stream.next()
            match frame.type:
                case "reconnect":
                    await self.cut()
                case "heartbeat":
                    pass
                case "gap":
                    self._told_gap(frame.data)
                case "snapshot":
                    self._told_snapshot(frame.data, frame.id)
                case _:
                    self._told_event(frame.data, frame.id)

    async def poll(self, limit: int) -> None:
        """One page in between."""
        await self.cut()
        page = await self.truth.house.poll(self.job_id, limit=limit, **({"after": self.cursor} if self.cursor else {}))
        if "gap" in page:
            self._told_gap(page["gap"])
            self._told_snapshot(page["snapshot"], page["snapshot"]["last_event_id"])
        for event in page["events"]:
            self._told_event(event, self.cursor or "")
        self.cursor = page["next"]
        if self.seq is None and self.cursor != "0":  # all that was kept: it may be nothing, and the cursor moves on
            self.seq = int(page["next"].partition("-")[2])
        self.ended = self.ended or page["done"]

    async def cut(self) -> None:
        if self._stream:
            self._stream.line.abort()
            self._stream = None

    async def _open(self) -> bool:
        house = self.truth.house
        query = self.query if self.cursor is None else {}
        answer = {} if self.cursor is None else {"Last-Event-ID": self.cursor}
        line = await house.line()
        await line.ask(
            "GET", f"/api/jobs/{self.job_id}/stream?{'&'.join(f'{k}={v}' for k, v in query.items())}", answer
        )
        await line.read_head()
        if line.status == 204:
            await self.truth.look()
            done = self.truth.events[self.job_id][-1]
            assert done["type"] == "done"
            assert int(str(self.cursor).partition("-")[2]) >= done["seq"]
            self.ended = True
            return False
        self._stream = house.listen(line)
        return True

    def _told_gap(self, gap: Event) -> None:
        assert self.gap is None
        self.gap = gap
        if gap["reason"] == "trimmed" and self.seq is not None:
            first = gap["first_available"]
            assert first is None or int(first.partition("-")[2]) > self.seq + 1, "nothing was missing"

    def _told_snapshot(self, told: Event, id: str) -> None:
        assert self.gap or (self.seq is None and self.query.get("replay") == "snapshot")
        self.gap = None
        seq = int(id.partition("-")[2])
        assert self.seq is None or seq >= self.seq
        self.seq, self.cursor = seq, id
        assert told["job"]["text"] == self.truth.text(self.job_id, seq)

    def _told_event(self, event: Event, id: str) -> None:
        assert self.gap is None, "a snapshot follows a gap"
        if self.seq is None:  # without a cursor: from the first event that is kept
            assert event in self.truth.events[self.job_id]
        else:
            assert event == self.truth.after(self.job_id, self.seq)[0]
        self.seq, self.cursor = event["seq"], id
        self.ended = event["type"] == "done"


class World:
    """A server, two jobs at a time in one session, and their readers."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.truth = Truth(house)
        self.jobs: list[tuple[str, Actor]] = []
        self.readers: list[Reader] = []
        self.words = 0

    async def begin(self) -> None:
        self.jobs = [await self.house.puppet(session_id="shared") for _ in range(2)]
        await self.truth.look()

    async def emit(self, which: int, count: int) -> None:
        _, actor = self.jobs[which % 2]
        await actor.say(*(f"{self.words + n} " for n in range(count)))
        self.words += count
        await self.truth.look()

    async def end(self, which: int) -> None:
        """End a job, and begin another in its place."""
        job_id, actor = self.jobs[which % 2]
        actor.end()
        await (await self.house.stream(job_id, types="done")).all()
        self.jobs[which % 2] = await self.house.puppet(session_id="shared")
        await self.truth.look()

    async def restart(self) -> None:
        await self.house.restart()
        await self.truth.look()
        await self.begin()

    async def come(self, which: int, how: str, place: float) -> None:
        """A reader of any job there ever was, with a cursor of the kind that `how` says."""
        everyone = list(self.truth.events)
        job_id = everyone[which % len(everyone)]
        epoch, _, last = self.truth.last_id.partition("-")
        cursors = {
            "start": "0",
            "known": f"{epoch}-{round(place * int(last))}",
            "ahead": f"{epoch}-{int(last) + 1000}",
            "other": "0000000000-3",
            "bad": "bad",
        }
        replay = {"replay": "snapshot"} if how == "snapshot" else {}
        self.readers.append(Reader(self.truth, job_id, cursors.get(how), **replay))

    async def close(self) -> None:
        for _, actor in self.jobs:
            actor.end()
        for job_id, _ in self.jobs:
            await (await self.house.stream(job_id, types="done")).all()
        await self.truth.look()
        for reader in self.readers:
            await reader.read_to(10**18)
            assert reader.ended
            assert reader.gap is None


WHICH = st.integers(0, 7)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), WHICH, st.integers(1, 15)),
        st.tuples(st.just("emit"), WHICH, st.integers(1, 15)),
        st.tuples(
            st.just("come"),
            WHICH,
            st.sampled_from(["all", "snapshot", "start", "known", "known", "ahead", "other", "bad"]),
            st.floats(0, 1),
        ),
        st.tuples(st.just("read"), WHICH, st.floats(0, 1)),
        st.tuples(st.just("cut"), WHICH),
        st.tuples(st.just("poll"), WHICH, st.integers(1, 30)),
        st.tuples(st.just("end"), WHICH),
        st.tuples(st.just("restart")),
    ),
    min_size=4,
    max_size=30,
)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@settings(max_examples=30)
@given(STEPS)
async def test_no_interleaving_makes_a_reader_miss_or_repeat_an_event(
    kind: str, opened: Opened, steps: list[tuple[Any, ...]]
) -> None:
    async with opened(kind, max_job_events=KEEP) as house:
        world = World(house)
        await world.begin()
        for step in steps:
            match step:
                case ("emit", which, count):
                    await world.emit(which, count)
                case ("come", which, how, place):
                    await world.come(which, how, place)
                case ("end", which):
                    await world.end(which)
                case ("restart",) if kind == "sqlite":
                    await world.restart()
                case (what, which, *figure) if world.readers:
                    reader = world.readers[which % len(world.readers)]
                    if what == "read":
                        known = world.truth.events[reader.job_id]
                        await reader.read_to(known[round(figure[0] * (len(known) - 1))]["seq"])
                    elif what == "cut":
                        await reader.cut()
                    elif not reader.ended:
                        await reader.poll(figure[0])
        await world.close()
