"""A walk over every route of the application: nobody gets through a door that somebody forgot."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web
from msgspec import Struct

from sse_server.app import ALL_ROUTES
from sse_server.routes.house import HOUSE
from tests.access.place import ANN, BOB, ORIGIN, Answer, Place, token


class Says(NamedTuple):
    """The statuses that a route has for Ann's job or session in the hands of others."""

    another: int
    """Another user, with a token of their own."""
    job_ticket: int
    session_ticket: int
    """A ticket for just that job, or for the session that it is in."""
    other_ticket: int
    """Ann's ticket for another job of hers."""


TOKEN_ONLY = (401, 401, 401)
EVERYBODY = Says(200, 200, 200, 200)

RUN = "/apps/{app_name}/users/{user_id}/sessions/{session_id}/run"
DECIDED = {
    ("GET", "/api/agents"): Says(200, *TOKEN_ONLY),
    ("POST", "/api/jobs"): Says(202, *TOKEN_ONLY),
    ("GET", "/api/jobs"): Says(200, *TOKEN_ONLY),
    ("GET", "/api/jobs/{job_id}"): Says(404, *TOKEN_ONLY),
    ("DELETE", "/api/jobs/{job_id}"): Says(404, *TOKEN_ONLY),
    ("GET", "/api/jobs/{job_id}/stream"): Says(404, 200, 404, 404),
    ("GET", "/api/jobs/{job_id}/events"): Says(404, 200, 404, 404),
    ("POST", "/api/jobs/{job_id}/cancel"): Says(404, *TOKEN_ONLY),
    ("GET", "/api/sessions/{session_id}/events"): Says(200, 404, 200, 404),  # another's: a session of their own
    ("GET", "/agent_network_sse/{session_id}"): Says(200, 404, 200, 404),
    ("GET", "/sse/{session_id}"): Says(200, 404, 200, 404),
    ("GET", "/api/sse/agent_network_sse/{session_id}"): Says(200, 404, 200, 404),
    ("GET", "/api/sse/{session_id}"): Says(200, 404, 200, 404),
    ("GET", "/api/sessions/{session_id}"): Says(404, *TOKEN_ONLY),
    ("DELETE", "/api/sessions/{session_id}"): Says(404, *TOKEN_ONLY),
    ("POST", "/api/sessions/{session_id}/events"): Says(201, *TOKEN_ONLY),
    ("GET", "/sse/stats"): Says(403, *TOKEN_ONLY),
    ("GET", "/metrics"): Says(403, *TOKEN_ONLY),
    ("POST", "/api/tickets"): Says(404, *TOKEN_ONLY),
    ("GET", "/api/csrf"): Says(200, *TOKEN_ONLY),
    ("POST", "/api/v1/chat"): Says(200, *TOKEN_ONLY),
    ("GET", "/api/chat/stream"): Says(200, *TOKEN_ONLY),
    ("POST", "/api/chat/message"): Says(200, *TOKEN_ONLY),
    ("GET", "/api/v1/auth/ping"): Says(200, *TOKEN_ONLY),
    ("POST", "/api/chat_actions/regenerate"): Says(200, *TOKEN_ONLY),
    ("POST", "/api/chat_actions/edit"): Says(200, *TOKEN_ONLY),
    ("POST", "/api/chat_actions/delete"): Says(200, *TOKEN_ONLY),
    ("GET", RUN): Says(404, *TOKEN_ONLY),
    ("GET", "/health"): EVERYBODY,
    ("GET", "/ready"): EVERYBODY,
    ("GET", "/openapi.json"): EVERYBODY,
}
"""Every route, by method and address. A new one belongs here, with what its author has decided."""

MESSAGE = {"sessionId": "elsewhere", "messageId": "m1"}
Name = tuple[str, str]


class Target(Struct):
    """Ann's ended job, and requests for it on every route."""

    place: Place
    job: str

    @property
    def job_id(self) -> str:
        return self.job.rpartition("/")[2]

    async def knock(self, name: Name, bearer: str | None = None, ticket: str = "", **headers: str) -> Answer:
        """Ask for Ann's job, or her session, by one route."""
        method, address = name
        # What is published, or run, would change what others find.
        session = "elsewhere" if method == "POST" or address == RUN else "hers"
        path = address.format(job_id=self.job_id, session_id=session, app_name="echo", user_id="ann")
        bodies: dict[str, object] = {
            "/api/jobs": {"agent": "echo", "input": {}},
            "/api/tickets": {"job_id": self.job_id},
            "/api/sessions/{session_id}/events": {"type": "note", "data": {}},
            "/api/v1/chat": {"message": "hello"},
            "/api/chat/message": {"message": "2+2"},
            "/api/chat_actions/regenerate": {**MESSAGE, "query": "why?"},
            "/api/chat_actions/edit": {**MESSAGE, "content": "new"},
            "/api/chat_actions/delete": MESSAGE,
        }
        body = bodies.get(address) if method == "POST" else None
        asked = {"/api/chat/stream": "message=2%2B2", RUN: "query=x"}.get(address)
        query = "&".join(filter(None, [asked, ticket and f"ticket={ticket}"]))
        return await self.place.ask(method, f"{path}?{query}", bearer, headers=headers, json=body, endless=True)

    async def everywhere(
        self, bearer: str | None = None, ticket: str = "", **headers: str
    ) -> dict[Name, int | tuple[int, str]]:
        """What each route answers: the status, and with a problem its code."""
        answers = {name: await self.knock(name, bearer, ticket, **headers) for name in DECIDED}
        return {name: answer.status if answer.status < 400 else answer.told for name, answer in answers.items()}


def named(app: web.Application) -> set[Name]:
    """The application's routes, without the preflights of those that it has."""
    routes = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    addresses = {address for method, address in routes if method != "OPTIONS"}
    return {name for name in routes if name[0] != "OPTIONS" or name[1] not in addresses}


def told(statuses: dict[Name, int]) -> dict[Name, int | tuple[int, str]]:
    codes = {401: "unauthenticated", 403: "forbidden", 404: "not_found"}
    return {name: (status, codes[status]) if status in codes else status for name, status in statuses.items()}


NOBODY = told({name: 200 if says is EVERYBODY else 401 for name, says in DECIDED.items()})


async def target(place: Place) -> Target:
    return Target(place, await place.ended(ANN, session_id="hers"))


def app_of(place: Place) -> web.Application:
    app = place.server._doors.app
    assert isinstance(app, web.Application)
    return app


async def test_somebody_has_decided_about_every_route(place: Place) -> None:
    assert named(app_of(place)) == DECIDED.keys()
    assert {(route.method, route.path) for route in ALL_ROUTES} == DECIDED.keys()


async def test_a_route_that_nobody_decided_about_is_found(place: Place) -> None:
    async def backdoor(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app[HOUSE] = app_of(place)[HOUSE]
    for route in ALL_ROUTES:
        route.add_to(app)
    app.router.add_get("/backdoor", backdoor, allow_head=False)
    app.router.add_route("OPTIONS", "/trapdoor", backdoor)
    assert named(app) - DECIDED.keys() == {("GET", "/backdoor"), ("OPTIONS", "/trapdoor")}


async def test_every_route_needs_a_token(place: Place) -> None:
    ann = await target(place)
    assert await ann.everywhere() == NOBODY
    for bad in ("", "x", "Bearer", f"{ANN}x", token("ann", -1), token("")):
        assert await ann.everywhere(bad) == NOBODY
    assert await ann.everywhere(Authorization=f"Basic {ANN}") == NOBODY


async def test_what_is_another_users_does_not_exist(place: Place) -> None:
    ann = await target(place)
    assert await ann.everywhere(BOB) == told({name: says.another for name, says in DECIDED.items()})


async def test_what_does_not_exist_and_what_is_anothers_look_the_same(place: Place) -> None:
    ann = await target(place)
    nowhere = Target(place, "/api/jobs/01890000000000000000000000")
    for name in DECIDED:
        theirs, missing = [await one.knock(name, BOB, **{"X-Request-Id": "r"}) for one in (ann, nowhere)]
        if theirs.status == 404:
            assert (theirs.body, set(theirs.headers)) == (missing.body, set(missing.headers))


async def test_a_ticket_reads_what_it_is_for_and_does_nothing_else(place: Place) -> None:
    ann = await target(place)
    other = await target(place)
    tickets = {
        "job_ticket": await place.ticket(ANN, job_id=ann.job_id),
        "session_ticket": await place.ticket(ANN, session_id="hers"),
        "other_ticket": await place.ticket(ANN, job_id=other.job_id),
    }
    for field, ticket in tickets.items():
        expected = told({name: getattr(says, field) for name, says in DECIDED.items()})
        assert await ann.everywhere(ticket=ticket) == expected, field
        assert await ann.everywhere(bearer=ticket) == NOBODY, "a ticket is no token"


async def test_no_route_takes_a_made_up_ticket(place: Place) -> None:
    ann = await target(place)
    good = await place.ticket(ANN, job_id=ann.job_id)
    for bad in ("x", "tkt_", "tkt_AAAA", good[:-1], good[:-1] + ("A" if good[-1] != "A" else "B"), good[4:], ANN):
        assert await ann.everywhere(ticket=bad) == NOBODY


async def test_a_token_beats_a_ticket(place: Place) -> None:
    """Who sends a token on purpose is judged by it."""
    ann = await target(place)
    ticket = await place.ticket(ANN, job_id=ann.job_id)
    assert await ann.everywhere("x", ticket) == NOBODY
    assert await ann.everywhere(BOB, ticket) == await ann.everywhere(BOB)


async def test_an_owner_comes_in_by_every_door(place: Place) -> None:
    """The refusals above are about who asks, not about how."""
    for name in DECIDED:
        answer = await (await target(place)).knock(name, token("ann", scope="stats metrics"))
        assert answer.status in {200, 201, 202, 204}, (name, answer)


async def test_preflights_need_no_token_and_do_nothing(place: Place) -> None:
    ann = await target(place)
    for method, address in DECIDED:
        path = address.format(job_id=ann.job_id, session_id="hers", app_name="echo", user_id="ann")
        preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": method}
        answer = await place.ask("OPTIONS", path, headers=preflight)
        assert (answer.status, answer.body) == (200, b""), path
        assert (await place.ask("OPTIONS", path)).told == (403, "forbidden")
    assert (await ann.knock(("GET", "/api/jobs/{job_id}"), ANN)).json["status"] == "succeeded"
