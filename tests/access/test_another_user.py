"""Two users of one server: they share names, keys and sessions, and never meet."""

from __future__ import annotations

from tests.access.place import ADMIN, ANN, BOB, Place


async def listed(place: Place, bearer: str, query: str = "") -> list[str]:
    jobs = (await place.ask("GET", f"/api/jobs{query}", bearer)).json["jobs"]
    return [f"/api/jobs/{job['job_id']}" for job in jobs]


async def test_a_list_holds_nobody_elses_jobs(place: Place) -> None:
    anns = [await place.ended(ANN, session_id="s") for _ in range(3)]
    bobs = await place.ended(BOB, session_id="s")
    assert await listed(place, ANN) == anns[::-1]
    assert await listed(place, BOB) == [bobs]
    assert await listed(place, BOB, "?session_id=s&agent=echo&status=succeeded") == [bobs]
    cursor = anns[-1].rpartition("/")[2]
    assert await listed(place, BOB, f"?cursor={cursor}") == [], "another's job as a cursor shows none of theirs"


async def test_two_users_may_use_one_session_name_and_never_meet(place: Place) -> None:
    texts = {ANN: "ann's", BOB: "bob's"}
    jobs = {who: await place.ended(who, session_id="chat", input={"text": text}) for who, text in texts.items()}
    for who, job in jobs.items():
        page = (await place.ask("GET", "/api/sessions/chat/events?after=0", who)).json
        assert [event["seq"] for event in page["events"]] == [1, 2, 3], "each has a log of their own, from 1"
        assert {f"/api/jobs/{event['job_id']}" for event in page["events"]} == {job}
        assert page["events"][-1]["result"] == {"text": texts[who]}
    theirs = (await place.ask("GET", "/api/sessions/chat/events?after=0", ADMIN)).json
    assert theirs["events"] == [], "a session's name is the caller's own, an admin's too"


async def test_a_cursor_of_another_users_log_opens_nothing(place: Place) -> None:
    await place.ended(ANN, session_id="chat")
    mine = await place.ended(BOB, session_id="chat")
    anns = (await place.ask("GET", "/api/sessions/chat/events?after=0", ANN)).json["next"]
    page = (await place.ask("GET", f"/api/sessions/chat/events?after={anns}", BOB)).json
    assert page["gap"]["reason"] == "epoch"
    assert {f"/api/jobs/{event['job_id']}" for event in page["events"]} == {mine}


async def test_another_users_idempotency_key_starts_ones_own_job(place: Place) -> None:
    async def start(bearer: str, text: str) -> tuple[str, str]:
        body = {"agent": "echo", "input": {"text": text}}
        answer = await place.ask("POST", "/api/jobs", bearer, headers={"Idempotency-Key": "k"}, json=body)
        assert answer.status == 202
        return answer.json["job_id"], answer.headers.get("Idempotent-Replayed", "")

    anns, bobs = await start(ANN, "same"), await start(BOB, "same")
    assert anns[0] != bobs[0]
    assert await start(BOB, "same") == (bobs[0], "true")
    other = {"agent": "echo", "input": {"text": "other"}}
    others = await place.ask("POST", "/api/jobs", ADMIN, headers={"Idempotency-Key": "k"}, json=other)
    assert others.status == 202, "not even whether the key is taken shows"


async def test_a_refused_cancel_and_delete_leave_another_users_job_alone(place: Place) -> None:
    job = await place.start(ANN)
    assert (await place.ask("POST", f"{job}/cancel?wait=5", BOB)).told == (404, "not_found")
    assert (await place.ask("DELETE", job, BOB)).told == (404, "not_found")
    place.cue("still here")
    place.curtain()
    page = (await place.ask("GET", f"{job}/events?wait=20&types=done", ANN)).json
    assert page["status"] == "succeeded"
    assert (await place.ask("DELETE", job, BOB)).told == (404, "not_found"), "also where ours would be a 409"
    assert (await place.ask("GET", job, ANN)).status == 200


async def test_an_admin_sees_and_stops_others_jobs_and_lists_their_own(place: Place) -> None:
    job = await place.start(ANN)
    assert (await place.ask("GET", job, ADMIN)).json["status"] in {"queued", "running"}
    assert await listed(place, ADMIN) == []
    job_id = job.rpartition("/")[2]
    ticket = await place.ticket(ADMIN, job_id=job_id)
    async with place.stream(f"{job}/stream?ticket={ticket}") as reading:
        assert (await reading.next())["type"] == "job_queued"
        assert (await place.ask("POST", f"{job}/cancel?wait=5", ADMIN)).json["status"] == "cancelled"
        assert (await reading.until())["type"] == "done"
    assert (await place.ask("DELETE", job, ADMIN)).status == 204
    assert (await place.ask("GET", job, ANN)).told == (404, "not_found")
