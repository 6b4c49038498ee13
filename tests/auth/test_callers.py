"""Callers: where a token may stand, which one counts, and what a ticket opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from multidict import CIMultiDict

from sse_server.auth import ANONYMOUS, Callers, Tickets, Verifier
from sse_server.config import Auth
from sse_server.errors import Forbidden, NotFound, Unauthenticated

KEY = bytes(range(32))
BAD = "bad.bad.bad"


@pytest.fixture
def tickets(rules: Auth, clock: Callable[[], float]) -> Tickets:
    return Tickets(KEY, rules, clock=clock)


@pytest.fixture
def callers(rules: Auth, tickets: Tickets, clock: Callable[[], float]) -> Callers:
    return Callers(rules, Verifier(rules, clock=clock), tickets)


async def ask(callers: Callers, headers: dict[str, str], cookies: dict[str, str] | None = None) -> tuple[str, str]:
    """Who it is and by which proof."""
    identity = await callers.identify(CIMultiDict(headers), cookies or {})
    return identity.user, identity.how


async def test_a_token_stands_in_a_header_or_in_a_cookie(callers: Callers, forge: Any) -> None:
    token = forge.token()
    assert await ask(callers, {"Authorization": f"Bearer {token}"}) == ("ann", "bearer")
    assert await ask(callers, {"authorization": f"bearer  {token} "}) == ("ann", "bearer")
    assert await ask(callers, {"x-auth-token": token}) == ("ann", "header")
    assert await ask(callers, {}, {"access_token": token}) == ("ann", "cookie")
    assert await ask(callers, {}, {"vana_access_token": token}) == ("ann", "cookie")
    assert await ask(callers, {}, {"access_token": "", "vana_access_token": token}) == ("ann", "cookie")


async def test_the_cookie_has_the_name_of_the_settings(rules: Auth, clock: Any, tickets: Tickets, forge: Any) -> None:
    rules = replace(rules, cookie="__Host-token")
    callers = Callers(rules, Verifier(rules, clock=clock), tickets)
    assert await ask(callers, {}, {"__Host-token": forge.token()}) == ("ann", "cookie")
    with pytest.raises(Unauthenticated):
        await ask(callers, {}, {"access_token": forge.token()})


@pytest.mark.parametrize(
    ("headers", "cookies"),
    [
        ({}, {}),
        ({"Authorization": "Bearer"}, {}),
        ({"Authorization": "Bearer "}, {}),
        ({"Authorization": "Basic YW5uOmFubg=="}, {}),
        ({"Authorization": ""}, {}),
        ({"x-auth-token": ""}, {}),
        ({}, {"access_token": ""}),
        ({}, {"other": "x"}),
    ],
)
async def test_nobody_is_refused_and_never_anonymous(
    headers: dict[str, str], cookies: dict[str, str], callers: Callers
) -> None:
    with pytest.raises(Unauthenticated):
        await ask(callers, headers, cookies)


async def test_a_bad_token_is_not_made_good_by_another_one(callers: Callers, forge: Any) -> None:
    good = forge.token()
    for headers in ({"Authorization": f"Bearer {BAD}", "x-auth-token": good}, {"Authorization": "Bearer "}):
        with pytest.raises(Unauthenticated):
            await ask(callers, headers, {"access_token": good})
    with pytest.raises(Unauthenticated):
        await ask(callers, {"x-auth-token": BAD}, {"access_token": good})
    with pytest.raises(Unauthenticated):
        await ask(callers, {}, {"access_token": BAD, "vana_access_token": good})


async def test_what_was_sent_on_purpose_wins_over_the_cookie(callers: Callers, forge: Any) -> None:
    bob = forge.token(forge.claims(sub="bob"))
    assert await ask(callers, {"Authorization": f"Bearer {forge.token()}"}, {"access_token": bob}) == ("ann", "bearer")
    assert await ask(callers, {"Authorization": "Basic x"}, {"access_token": bob}) == ("bob", "cookie")


async def test_a_ticket_opens_its_own_job_alone(callers: Callers, tickets: Tickets, clock: Any) -> None:
    ticket, expires = tickets.mint("ann", "job", "job_1", ttl=60)
    identity = await callers.identify_reader({}, {}, ticket, "job", "job_1")
    assert (identity.user, identity.how, identity.expires) == ("ann", "ticket", expires)
    for kind, name in (("job", "job_2"), ("session", "job_1")):
        with pytest.raises(NotFound):
            await callers.identify_reader({}, {}, ticket, kind, name)  # type: ignore[arg-type]
    clock.now = expires
    with pytest.raises(Unauthenticated):
        await callers.identify_reader({}, {}, ticket, "job", "job_1")


async def test_a_ticket_wins_over_a_cookie_and_a_header_over_both(
    callers: Callers, tickets: Tickets, forge: Any
) -> None:
    ticket, _ = tickets.mint("ann", "job", "job_1")
    bob = forge.token(forge.claims(sub="bob"))
    cookie, header = {"access_token": bob}, CIMultiDict({"Authorization": f"Bearer {bob}"})
    assert (await callers.identify_reader({}, cookie, ticket, "job", "job_1")).user == "ann"
    assert (await callers.identify_reader(header, cookie, ticket, "job", "job_1")).user == "bob"
    assert (await callers.identify_reader({}, cookie, None, "job", "job_1")).user == "bob"


@pytest.mark.parametrize("ticket", ["", "x", "tkt_", "tkt_AAAA", "\udcff", "{token}"])
async def test_a_bad_ticket_is_refused_even_beside_a_good_cookie(ticket: str, callers: Callers, forge: Any) -> None:
    """A token is no ticket either: one that lives long never stands in a URL."""
    with pytest.raises(Unauthenticated):
        await callers.identify_reader(
            {}, {"access_token": forge.token()}, ticket.replace("{token}", forge.token()), "job", "job_1"
        )


async def test_without_authentication_everybody_is_anonymous_and_may_all(clock: Any) -> None:
    rules = Auth()
    callers = Callers(rules, Verifier(rules, clock=clock), Tickets(KEY, rules, clock=clock))
    for headers in ({}, {"Authorization": f"Bearer {BAD}"}, {"x-auth-token": ""}):
        assert await callers.identify(CIMultiDict(headers), {"access_token": BAD}) is ANONYMOUS
        assert await callers.identify_reader(CIMultiDict(headers), {}, "bad", "job", "job_1") is ANONYMOUS
    for scope in ("stats", "metrics", "admin"):
        ANONYMOUS.require(scope)


async def test_a_scope_is_had_or_it_is_not(callers: Callers, forge: Any) -> None:
    for claim, scopes in (("stats metrics", {"stats", "metrics"}), (["admin"], {"admin"}), ("", set()), (None, set())):
        token = forge.token(forge.claims(scope=claim))
        identity = await callers.identify(CIMultiDict({"x-auth-token": token}), {})
        assert identity.scopes == scopes
        for scope in ("stats", "metrics", "admin"):
            if scope in scopes:
                identity.require(scope)
            else:
                with pytest.raises(Forbidden):
                    identity.require(scope)
