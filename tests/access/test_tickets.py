"""Tickets at the doors: one job or one session, for a while, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.access.place import ANN, BOB, Place, rules, token


async def test_a_ticket_opens_streams_again_and_again(place: Place) -> None:
    job = await place.start(ANN)
    ticket = await place.ticket(ANN, job_id=job.rpartition("/")[2])
    async with place.stream(f"{job}/stream?ticket={ticket}") as reading:
        await reading.until("job_started")
    place.cue("while away")
    place.curtain()
    cursor = {"Last-Event-ID": reading.last_event_id}
    async with place.stream(f"{job}/stream?ticket={ticket}", headers=cursor) as again:
        await again.until("done")
    polled = (await place.ask("GET", f"{job}/events?after=0&ticket={ticket}")).json["events"]
    assert reading.events + again.events == polled
    done = {"Last-Event-ID": again.last_event_id}
    assert (await place.ask("GET", f"{job}/stream?ticket={ticket}", headers=done)).status == 204


async def test_a_ticket_outlives_the_token_that_asked(place: Place) -> None:
    job = await place.ended(ANN)
    short = token("ann", 2)
    ticket = await place.ticket(short, job_id=job.rpartition("/")[2])
    async with place.stream(f"{await place.start(ANN)}/stream", short) as reading:
        assert (await reading.until("reconnect"))["reason"] == "token_expired"
    assert (await place.ask("GET", job, short)).told == (401, "unauthenticated")
    assert (await place.ask("GET", f"{job}/events?ticket={ticket}")).json["done"]


async def test_a_ticket_of_a_session_is_for_its_owners_session(place: Place) -> None:
    await place.ended(ANN, session_id="chat")
    await place.ended(BOB, session_id="chat")
    for who in (ANN, BOB):
        own = (await place.ask("GET", "/api/sessions/chat/events?after=0", who)).json
        ticket = await place.ticket(who, session_id="chat")
        assert (await place.ask("GET", f"/api/sessions/chat/events?after=0&ticket={ticket}")).json == own
        for name in ("Chat", "chat2", "cha"):
            answer = await place.ask("GET", f"/api/sessions/{name}/events?ticket={ticket}")
            assert answer.told == (404, "not_found")


async def test_a_job_and_a_session_of_one_name_have_tickets_of_their_own(place: Place) -> None:
    """A job without a session has a log that is named like itself."""
    job_id = (await place.ended(ANN)).rpartition("/")[2]
    of_job, of_session = await place.ticket(ANN, job_id=job_id), await place.ticket(ANN, session_id=job_id)
    assert (await place.ask("GET", f"/api/jobs/{job_id}/events?ticket={of_session}")).told == (404, "not_found")
    assert (await place.ask("GET", f"/api/sessions/{job_id}/events?ticket={of_job}")).told == (404, "not_found")


async def test_a_ticket_says_when_it_expires_and_is_not_good_for_longer_than_may_be(place: Place) -> None:
    job_id = (await place.ended(ANN)).rpartition("/")[2]
    for ttl, seconds in ((None, 3600), (5, 5), (43_200, 43_200)):
        answer = await place.ask("POST", "/api/tickets", ANN, json={"job_id": job_id, "ttl": ttl})
        left = datetime.fromisoformat(answer.json["expires_at"]) - datetime.now(UTC)
        assert seconds - 3 < left.total_seconds() <= seconds
    for bad in (0, -1, 0.5, 43_201, 1e300):
        answer = await place.ask("POST", "/api/tickets", ANN, json={"job_id": job_id, "ttl": bad})
        assert answer.told == (400, "invalid_input")
        assert [error["path"] for error in answer.json["errors"]] == ["$.ttl"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"job_id": "j", "session_id": "s"},
        {"session_id": ""},
        {"session_id": "a/b"},
        {"session_id": "s", "scope": "admin"},
        {"session_id": "s", "user": "bob"},
        {"session_id": 7},
        [],
    ],
)
async def test_a_ticket_is_for_one_thing_and_for_its_owner(place: Place, body: object) -> None:
    assert (await place.ask("POST", "/api/tickets", ANN, json=body)).told == (400, "invalid_input")


async def test_a_ticket_is_good_after_a_restart(tmp_path: Path) -> None:
    """Its key is in the store; another store's tickets are no tickets."""
    store = {"kind": "sqlite", "path": str(tmp_path / "a.db")}
    async with Place(rules(store=store)) as place:
        job = await place.ended(ANN)
        ticket = await place.ticket(ANN, job_id=job.rpartition("/")[2])
    async with Place(rules(store=store)) as place:
        assert (await place.ask("GET", f"{job}/events?ticket={ticket}")).status == 200
    async with Place(rules(store=store | {"path": str(tmp_path / "b.db")})) as place:
        assert (await place.ask("GET", f"{job}/events?ticket={ticket}")).told == (401, "unauthenticated")


async def test_without_authentication_tickets_are_handed_out_and_not_looked_at(
    open_place: Callable[..., Awaitable[Place]],
) -> None:
    """A page that always asks for one works there too."""
    place = await open_place(auth={"mode": "none", "jwt_secret": ""})
    job = await place.ended(None)
    for ticket in (await place.ticket(None, job_id=job.rpartition("/")[2]), "x"):
        assert (await place.ask("GET", f"{job}/events?ticket={ticket}")).json["done"]
