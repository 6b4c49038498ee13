"""Pages of other origins: the ones that are named read everything that their user may, all others nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from sse_server.config import load
from sse_server.errors import SettingsError
from tests.access.place import ANN, ORIGIN, Answer, Place

ASKED = (
    "Authorization",
    "X-Auth-Token",
    "Last-Event-ID",
    "Content-Type",
    "Idempotency-Key",
    "X-CSRF-Token",
    "X-Request-Id",
    "X-Session-Id",
)
SHOWN = {"Location", "Content-Location", "Retry-After", "X-Request-Id", "Idempotent-Replayed"}

STRANGERS = [
    "https://evil.example.com",
    "null",
    "",
    "https://app.example.com.evil.com",
    "https://app.example.comx",
    "https://evilapp.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com:443",
    "https://APP.example.com",
    "HTTPS://app.example.com",
    "https://app.example.com/",
    "https://app.example.com, https://evil.example.com",
    "https://user@app.example.com",
    "*",
    "file://",
]


def vary(answer: Answer) -> list[str]:
    return [name.strip().lower() for value in answer.headers.getall("Vary", []) for name in value.split(",")]


async def answers(place: Place, origin: str | None) -> dict[str, Answer]:
    """One answer of every sort."""
    job = await place.ended(ANN)
    from_there = {} if origin is None else {"Origin": origin}
    done = (await place.ask("GET", f"{job}/events?after=0", ANN)).json["next"]
    asked: dict[str, tuple[int, str, str, str | None]] = {
        "JSON": (200, "GET", "/api/jobs", ANN),
        "public": (200, "GET", "/health", None),
        "start": (202, "POST", "/api/jobs", ANN),
        "stream": (200, "GET", f"{job}/stream", ANN),
        "204": (204, "GET", f"{job}/stream?after={done}", ANN),
        "400": (400, "GET", f"{job}/events?limit=x", ANN),
        "401": (401, "GET", "/api/jobs", None),
        "404 of a route": (404, "GET", "/api/jobs/none", ANN),
        "404": (404, "GET", "/nowhere", ANN),
        "405": (405, "PUT", "/api/jobs", ANN),
        "405 of a stream": (405, "HEAD", f"{job}/stream", ANN),
        "413": (413, "POST", "/api/tickets", ANN),
        "erase": (204, "DELETE", job, ANN),
    }
    got = {}
    for name, (status, method, path, bearer) in asked.items():
        body = b'{"agent":"echo","input":{}}' if method == "POST" else None
        if status == 413:
            body = b" " * 65_537
        got[name] = await place.ask(method, path, bearer, headers=from_there, body=body)
        assert got[name].status == status, (name, got[name])
    return got


async def test_an_allowed_origin_may_read_every_answer(place: Place) -> None:
    for name, answer in (await answers(place, ORIGIN)).items():
        assert answer.headers.getall("Access-Control-Allow-Origin") == [ORIGIN], name
        assert answer.headers.getall("Access-Control-Allow-Credentials") == ["true"], name
        assert set(answer.headers["Access-Control-Expose-Headers"].split(",")) == SHOWN, name
        assert vary(answer) == ["origin"], name


@pytest.mark.parametrize("origin", [None, *STRANGERS[:4]])
async def test_every_answer_varies_by_origin_and_names_no_other(place: Place, origin: str | None) -> None:
    for name, answer in (await answers(place, origin)).items():
        assert vary(answer) == ["origin"], name
        assert not [header for header in answer.headers if header.lower().startswith("access-control-")], name


async def test_no_origin_gets_in_by_looking_like_one_that_may(place: Place) -> None:
    for origin in STRANGERS:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for answer in (
            await place.ask("GET", "/api/jobs", ANN, headers={"Origin": origin}),
            await place.ask("OPTIONS", "/api/jobs", headers=asked),
        ):
            assert "Access-Control-Allow-Origin" not in answer.headers, origin
            assert "Access-Control-Allow-Credentials" not in answer.headers, origin
            assert vary(answer) == ["origin"]
        assert answer.told == (403, "forbidden")
        assert origin not in answer.json["detail"] or len(origin) < 2


async def test_a_preflight_is_answered_without_a_token_and_remembered(place: Place) -> None:
    for method, path in (("POST", "/api/jobs"), ("DELETE", "/api/jobs/x"), ("GET", "/api/jobs/x/stream")):
        for names in (ASKED, [name.lower() for name in ASKED], ASKED[:1]):
            asked = {
                "Origin": ORIGIN,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": ", ".join(names),
            }
            answer = await place.ask("OPTIONS", path, headers=asked)
            assert (answer.status, answer.body) == (200, b"")
            assert answer.headers.getall("Access-Control-Allow-Origin") == [ORIGIN]
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"
            assert answer.headers["Access-Control-Allow-Methods"] == method
            allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
            assert allowed == {name.lower() for name in names}
            assert answer.headers["Access-Control-Max-Age"] == "7200"
            assert vary(answer) == ["origin"]


async def test_a_preflight_grants_neither_other_headers_nor_other_methods(place: Place) -> None:
    for wanted in (
        {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-Forwarded-Host"},
        {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "*"},
        {"Access-Control-Request-Method": "PUT"},
        {"Access-Control-Request-Method": "TRACE"},
    ):
        asked = {"Origin": ORIGIN} | wanted
        assert (await place.ask("OPTIONS", "/api/jobs", headers=asked)).told == (403, "forbidden")


async def test_without_origins_no_page_of_another_may(open_place: Callable[..., Awaitable[Place]]) -> None:
    place = await open_place(cors={"origins": ()})
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    for answer in (
        await place.ask("GET", "/api/jobs", ANN, headers=asked),
        await place.ask("OPTIONS", "/api/jobs", headers=asked),
    ):
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert vary(answer) == ["origin"], "a cache may outlive the settings"
    assert answer.told == (403, "forbidden")


async def test_the_remembering_is_as_long_as_the_settings_say(open_place: Callable[..., Awaitable[Place]]) -> None:
    place = await open_place(cors={"origins": (ORIGIN, "http://localhost:3000"), "max_age": 5})
    for origin in (ORIGIN, "http://localhost:3000"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = await place.ask("OPTIONS", "/health", headers=asked)
        assert answer.headers["Access-Control-Max-Age"] == "5"
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    asked = {"Origin": "http://localhost:3000.evil.com", "Access-Control-Request-Method": "GET"}
    assert (await place.ask("OPTIONS", "/health", headers=asked)).told == (403, "forbidden")


@pytest.mark.parametrize(
    "origins", ["*", "https://app.example.com,*", "null", "https://*.example.com", "app.example.com"]
)
def test_a_server_with_a_wildcard_does_not_start(origins: str) -> None:
    """Browsers send cookies along, so a wildcard would be every page in the world."""
    with pytest.raises(SettingsError, match=r"cors\.origins"):
        load(environ={"CORS_ORIGINS": origins})
