"""The server's own description of itself, held against what it answers: no 5xx, and nothing that it does not say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from copy import deepcopy
from typing import Any, Final

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from sse_server.app import ALL_ROUTES
from sse_server.routes.table import Route
from tests.access.place import ANN, BOB, Place, token

EXAMPLES: Final = 12
"""Requests of each sort to each route; more find more, in more time."""

CONFIG: Final = schemathesis.Config.from_dict({"max-stream-events": 1000})

UNASKED: Final = [
    positive_data_acceptance,  # a schema can't say which agents there are, or that a ticket is for just one thing
    negative_data_rejection,  # an invalid value may not survive its way into a query, and then nothing is invalid
]
TEXT: Final = st.text(st.characters(min_codepoint=32, exclude_categories=["Cc", "Cs"]), max_size=300).map(str.strip)
HEADERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(["text/event-stream", "*/*", "application/json", "TEXT/EVENT-STREAM;q=0.1", ""]),
        "Last-Event-ID": TEXT,
        "Idempotency-Key": TEXT,
        "X-Session-Id": TEXT,
        "Content-Type": st.sampled_from(["text/plain", "application/json; charset=latin-1", "multipart/form-data"]),
    },
)

Document = dict[str, Any]


def operations(document: Document) -> dict[tuple[str, str], Any]:
    """The operations that the document describes, by method and address."""
    found: Iterable[Any] = schemathesis.openapi.from_dict(document, config=CONFIG).get_all_operations()
    return {(operation.method.upper(), operation.path): operation for each in found if (operation := each.ok())}


def attack(operation: Any, origin: str, job_id: str, mode: schemathesis.GenerationMode) -> None:
    """Send what the description allows, or what it forbids, and hold each answer against it."""
    known = {"job_id": job_id} if "{job_id}" in operation.path and operation.method != "delete" else {}
    cases = st.one_of(operation.as_strategy(mode), operation.as_strategy(mode, path_parameters=known))

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, headers=HEADERS, agent=st.sampled_from([None, "echo", "revue"]))
    def send(case: Any, headers: dict[str, str], agent: str | None) -> None:
        if agent and isinstance(case.body, dict) and "agent" in case.body:
            case.body["agent"] = agent
        if isinstance((case.query or {}).get("wait"), int | float) and 0 <= case.query["wait"] <= 25:
            case.query["wait"] = 0
        sent = {"Authorization": f"Bearer {ANN}"} | {name: value.encode() for name, value in headers.items()}
        case.call_and_validate(base_url=origin, session=session, headers=sent, excluded_checks=UNASKED)

    with requests.Session() as session:
        send()


@pytest.fixture
async def roomy(open_place: Callable[..., Awaitable[Place]]) -> Place:
    limits = {"starts_per_minute": 0, "jobs_per_user": 10_000}
    return await open_place(limits=limits, stream={"max_age": 0.2})  # a session's stream ends for no other reason


async def described(place: Place) -> Document:
    document: Document = (await place.ask("GET", "/openapi.json")).json
    return document


def name(value: object) -> str:
    return f"{value.method} {value.path}" if isinstance(value, Route) else str(value)


@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("route", ALL_ROUTES, ids=name)
async def test_no_answer_is_a_5xx_or_one_that_the_description_lacks(
    roomy: Place, route: Route, mode: schemathesis.GenerationMode
) -> None:
    operation = operations(await described(roomy))[route.method, route.path]
    if mode is schemathesis.GenerationMode.NEGATIVE and route.access == "public":
        return  # it takes nothing that could be wrong
    job = await roomy.ended(ANN, "revue", session_id="s")
    await asyncio.to_thread(attack, operation, roomy.origin, job.rpartition("/")[2], mode)


async def test_the_description_knows_every_route_and_what_it_asks_of_a_caller(place: Place) -> None:
    document = await described(place)
    assert operations(document).keys() == {(route.method, route.path) for route in ALL_ROUTES}
    for route in ALL_ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        schemes = {name for way in operation["security"] for name in way}
        reads = {"ticket"} if route.access in {"job", "session"} else set()
        assert schemes == (set() if route.access == "public" else {"bearer", "header", "cookie"} | reads)
        assert schemes <= document["components"]["securitySchemes"].keys()
        statuses = set(operation["responses"])
        assert ("401" in statuses) == (route.access != "public")
        starts = 403 in route.problems  # a GET that starts work
        assert ("403" in statuses) == (route.method != "GET" or route.access in {"stats", "metrics"} or starts)
        assert {"400", "431", "503"} <= statuses


def follow(place: Place, document: Document, path: str, *, bearer: str = ANN, **sent: Any) -> str:
    """Read a stream to its end, as the description says it is; the text of it."""
    operation = operations(document)["GET", "/api/jobs/{job_id}/stream"]
    case = operation.Case(path_parameters={"job_id": path.rpartition("/")[2]}, query=sent.get("query", {}))
    headers = {"Authorization": f"Bearer {bearer}"} | sent.get("headers", {})
    with requests.Session() as session:
        answer = case.call_and_validate(
            base_url=place.origin, session=session, headers=headers, excluded_checks=[*UNASKED, ignored_auth]
        )
    assert answer.status_code in {200, 204}
    return str(answer.text)


async def test_every_event_of_a_stream_is_as_the_description_says(roomy: Place) -> None:
    document = await described(roomy)
    job = await roomy.ended(ANN, "revue")
    events = (await roomy.ask("GET", f"{job}/events?after=0", ANN)).json
    said = await asyncio.to_thread(follow, roomy, document, job)
    for event in events["events"]:
        assert f'"type":"{event["type"]}"' in said
    assert len({event["type"] for event in events["events"]}) >= 12, "an agent of every emitter"
    for query, headers, control in (
        ({"named": "1"}, {}, "event: of_its_own"),
        ({"replay": "snapshot"}, {}, '"type":"snapshot"'),
        ({"replay": "none"}, {}, '"type":"done"'),
        ({}, {"Last-Event-ID": "nonsense"}, '"type":"gap"'),
        ({"after": "0000000000-9", "named": "1"}, {}, "event: gap"),
        ({"after": events["next"]}, {}, ""),
    ):
        said = await asyncio.to_thread(follow, roomy, document, job, query=query, headers=headers)
        assert control in said


async def test_the_control_events_of_a_stream_are_as_the_description_says(
    open_place: Callable[..., Awaitable[Place]],
) -> None:
    place = await open_place(stream={"heartbeat_interval": 0.2}, limits={"streams_per_user": 1})
    document, job = await described(place), await place.start(ANN)
    async with place.stream(f"{job}/stream", ANN) as reading:
        await reading.next()
        assert '"reason":"overloaded"' in await asyncio.to_thread(follow, place, document, job)
    bobs = await place.start(BOB)
    short = token("bob", 1.5)
    said = await asyncio.to_thread(follow, place, document, bobs, bearer=short, query={"replay": "none"})
    assert '"type":"heartbeat"' in said
    assert '"reason":"token_expired"' in said


async def test_an_event_that_is_not_as_described_is_found(place: Place) -> None:
    """The two tests above would notice."""
    document = await described(place)
    job = await place.ended(ANN)
    planted = deepcopy(document)
    planted["components"]["schemas"]["Done"]["required"].append("applause")
    await asyncio.to_thread(follow, place, document, job)
    with pytest.raises(FailureGroup, match="SSE"):
        await asyncio.to_thread(follow, place, planted, job)
