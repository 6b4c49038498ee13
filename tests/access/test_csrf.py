"""Forged requests: a browser sends its cookies with whatever a page makes it send, and that alone changes nothing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import Morsel, SimpleCookie

import pytest

from sse_server.app import ALL_ROUTES
from sse_server.auth import Csrf
from tests.access.place import ANN, BOB, ORIGIN, Answer, Place

COOKIE = {"Cookie": f"access_token={ANN}"}

CHANGES = {
    "start": ("POST", "/api/jobs", {"agent": "echo", "input": {}}),
    "cancel": ("POST", "/api/jobs/JOB/cancel", None),
    "erase": ("DELETE", "/api/jobs/JOB", None),
    "ticket": ("POST", "/api/tickets", {"session_id": "s"}),
    "publish": ("POST", "/api/sessions/s/events", {"type": "note", "data": {}}),
    "chat": ("POST", "/api/v1/chat", {"message": "hello"}),
    "panel": ("POST", "/api/chat/message", {"message": "2+2"}),
    "regenerate": ("POST", "/api/chat_actions/regenerate", {"sessionId": "s2", "messageId": "m", "query": "why?"}),
    "edit": ("POST", "/api/chat_actions/edit", {"sessionId": "s2", "messageId": "m", "content": "so"}),
    "delete": ("POST", "/api/chat_actions/delete", {"sessionId": "s2", "messageId": "m"}),
    "clear": ("DELETE", "/api/sessions/s", None),
}
"""Every route that changes something."""


async def change(place: Place, name: str, headers: Mapping[str, str]) -> Answer:
    method, path, body = CHANGES[name]
    job = await place.ended(ANN, session_id="s")
    return await place.ask(method, path.replace("/api/jobs/JOB", job), headers=headers, json=body)


async def csrf(place: Place, headers: Mapping[str, str] = COOKIE) -> tuple[str, Morsel[str]]:
    """A fresh token, and its cookie."""
    answer = await place.ask("GET", "/api/csrf", headers=headers)
    cookie = SimpleCookie(answer.headers["Set-Cookie"])["csrf_token"]
    assert cookie.value == answer.json["csrf_token"]
    return cookie.value, cookie


def test_every_route_that_changes_something_is_among_them() -> None:
    names = {"job_id": "JOB", "session_id": "s"}
    changing = {(route.method, route.path.format_map(names)) for route in ALL_ROUTES if route.method != "GET"}
    assert changing == {(method, path) for method, path, _ in CHANGES.values()}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_cookie_alone_changes_nothing(place: Place, name: str) -> None:
    good, _ = await csrf(place)
    bobs, _ = await csrf(place, {"Authorization": f"Bearer {BOB}"})
    forged: list[dict[str, str]] = [
        {},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": ORIGIN},  # may read by CORS; a page of another origin shows a token all the same
        {"Origin": f"{place.origin}.evil.example.com"},
        {"Origin": place.origin.replace("http:", "https:")},
        {"Origin": place.origin.rpartition(":")[0]},
        {"Referer": f"{place.origin}/"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"},
        {"X-Requested-With": "XMLHttpRequest"},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "x"},
        {"X-CSRF-Token": bobs},
        {"X-CSRF-Token": good[:-1]},
        {"X-CSRF-Token": ANN},
        {"Cookie": f"{COOKIE['Cookie']}; csrf_token={good}"},
        {"Cookie": f"{COOKIE['Cookie']}; csrf_token={bobs}", "X-CSRF-Token": bobs},
        {"Cookie": f"{COOKIE['Cookie']}; csrf_token=another", "X-CSRF-Token": good},
        {"X-Forwarded-Host": "evil.example.com", "Origin": "http://evil.example.com"},
    ]
    for headers in forged:
        assert (await change(place, name, COOKIE | headers)).told == (403, "forbidden"), headers


@pytest.mark.parametrize("name", CHANGES)
async def test_a_cookie_with_a_proof_changes_what_it_may(place: Place, name: str) -> None:
    good, _ = await csrf(place)
    proofs: list[dict[str, str]] = [
        {"X-CSRF-Token": good},
        {"X-CSRF-Token": good, "Cookie": f"{COOKIE['Cookie']}; csrf_token={good}"},
        {"X-CSRF-Token": good, "Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": place.origin},
        {"X-CSRF-Token": good, "Cookie": f"vana_access_token={ANN}"},
    ]
    for headers in proofs:
        assert (await change(place, name, COOKIE | headers)).status in {200, 201, 202, 204}, headers


@pytest.mark.parametrize("name", CHANGES)
async def test_a_token_that_no_browser_sends_by_itself_needs_no_proof(place: Place, name: str) -> None:
    foreign = {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "cross-site"}
    for headers in ({"Authorization": f"Bearer {ANN}"}, {"X-Auth-Token": ANN}):
        assert (await change(place, name, headers | foreign)).status in {200, 201, 202, 204}
        beside = headers | {"Cookie": f"access_token={BOB}"}
        assert (await change(place, name, beside)).status in {200, 201, 202, 204}


async def test_reading_needs_no_proof(place: Place) -> None:
    job = await place.ended(ANN)
    foreign = COOKIE | {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "cross-site"}
    for path in ("/api/jobs", job, f"{job}/events", f"{job}/stream", "/api/csrf"):
        assert (await place.ask("GET", path, headers=foreign)).status == 200


async def test_a_proof_expires(place: Place) -> None:
    """One that was made thirteen hours ago, with the key of this very server."""
    rules, key = place.settings, await place.server.store.secret()
    old = Csrf(key, rules.auth, rules.cors, clock=lambda: time.time() - 13 * 3600).token("ann")
    new = Csrf(key, rules.auth, rules.cors).token("ann")
    assert (await change(place, "start", COOKIE | {"X-CSRF-Token": old})).told == (403, "forbidden")
    assert (await change(place, "start", COOKIE | {"X-CSRF-Token": new})).status == 202


async def test_two_tabs_share_a_token_and_two_users_do_not(place: Place) -> None:
    good, _ = await csrf(place)
    twin = f"csrf_token={good}"
    assert (await csrf(place, {"Cookie": f"{COOKIE['Cookie']}; {twin}"}))[0] == good
    assert (await csrf(place, {"Cookie": f"access_token={BOB}; {twin}"}))[0] != good


@pytest.mark.parametrize(
    ("auth", "secure", "samesite"),
    [
        ({}, True, "Lax"),
        ({"secure_cookies": False}, False, "Lax"),
        ({"cookie_samesite": "strict"}, True, "Strict"),
        ({"cookie_samesite": "none"}, True, "None"),
    ],
)
async def test_the_cookie_is_as_the_settings_say_and_never_for_scripts(
    open_place: Callable[..., Awaitable[Place]], auth: dict[str, object], secure: bool, samesite: str
) -> None:
    _, cookie = await csrf(await open_place(auth=auth))
    assert (cookie["httponly"], bool(cookie["secure"]), cookie["samesite"]) == (True, secure, samesite)
    assert (cookie["path"], cookie["domain"]) == ("/", "")


async def test_a_cookie_of_another_name_is_taken_where_the_settings_name_it(
    open_place: Callable[..., Awaitable[Place]],
) -> None:
    place = await open_place(auth={"cookie": "session"})
    for name, status in (("session", 200), ("vana_access_token", 200), ("access_token", 401)):
        assert (await place.ask("GET", "/api/jobs", headers={"Cookie": f"{name}={ANN}"})).status == status


async def test_behind_a_trusted_proxy_our_origin_is_what_it_forwards(
    open_place: Callable[..., Awaitable[Place]],
) -> None:
    place = await open_place(auth={"trust_forwarded": True})
    forwarded = COOKIE | {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "jobs.example.com"}
    ours = await change(place, "start", forwarded | {"Origin": "https://jobs.example.com"})
    assert ours.status == 202
    assert (await change(place, "start", forwarded | {"Origin": place.origin})).told == (403, "forbidden")


async def test_without_authentication_no_proof_is_asked_for(open_place: Callable[..., Awaitable[Place]]) -> None:
    place = await open_place(auth={"mode": "none", "jwt_secret": ""})
    body = {"agent": "echo", "input": {}}
    assert (await place.ask("POST", "/api/jobs", headers=COOKIE, json=body)).status == 202
