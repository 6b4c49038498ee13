"""Tickets: leave to read one job or one session, until they expire, and no more than that."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec import msgpack

from sse_server.auth import Ticket, Tickets
from sse_server.auth.seal import seal
from sse_server.auth.tickets import PREFIX, PURPOSE
from sse_server.config import Auth
from sse_server.errors import InvalidInput, NotFound, Unauthenticated

KEY = bytes(range(32))
NOW = 1_800_000_000


@pytest.fixture
def tickets(clock: Any) -> Tickets:
    return Tickets(KEY, Auth(), clock=clock)


def test_a_ticket_is_its_owners_for_one_job_or_session(tickets: Tickets) -> None:
    text, expires = tickets.mint("ann", "job", "job_1")
    ticket = tickets.check(text)
    assert ticket == Ticket("ann", "job", "job_1", expires)
    ticket.admit("job", "job_1")
    for kind, name in (("job", "job_2"), ("session", "job_1"), ("job", "job_1 "), ("job", "")):
        with pytest.raises(NotFound):
            ticket.admit(kind, name)  # type: ignore[arg-type]


def test_a_ticket_may_read_and_nothing_else(tickets: Tickets) -> None:
    identity = tickets.check(tickets.mint("ann", "session", "s")[0]).identity
    assert (identity.user, identity.scopes, identity.how) == ("ann", frozenset(), "ticket")
    assert identity.expires == NOW + 3600


def test_a_ticket_is_good_until_it_expires_and_not_a_second_longer(tickets: Tickets, clock: Any) -> None:
    text, expires = tickets.mint("ann", "job", "job_1", ttl=60)
    assert expires == NOW + 60
    clock.now = expires - 0.001
    assert tickets.check(text).expires == expires
    clock.now = expires
    with pytest.raises(Unauthenticated):
        tickets.check(text)


@pytest.mark.parametrize("ttl", [0, 0.5, -1, 43_201, float("inf"), float("nan"), 1e300])
def test_a_ticket_is_good_for_a_second_to_12_hours(ttl: float, tickets: Tickets) -> None:
    with pytest.raises(InvalidInput) as caught:
        tickets.mint("ann", "job", "job_1", ttl=ttl)
    assert caught.value.errors[0].path == "$.ttl"
    assert tickets.mint("ann", "job", "job_1", ttl=43_200)[1] == NOW + 43_200
    assert tickets.mint("ann", "job", "job_1", ttl=1)[1] == NOW + 1


def test_a_ticket_outlives_the_server_and_is_good_on_all_that_share_its_store(tickets: Tickets, clock: Any) -> None:
    text, _ = tickets.mint("ann", "job", "job_1")
    assert Tickets(KEY, Auth(), clock=clock).check(text).user == "ann"
    with pytest.raises(Unauthenticated):
        Tickets(KEY[::-1], Auth(), clock=clock).check(text)


@pytest.mark.parametrize("user", ["ann", "auth0|64b0", "名前" * 100, "😀" * 255])
def test_a_ticket_stands_in_a_url_as_it_is(user: str, tickets: Tickets) -> None:
    text, _ = tickets.mint(user, "session", "s" * 128)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert tickets.check(text).user == user


def test_a_ticket_for_an_ordinary_user_is_short(tickets: Tickets) -> None:
    user, job = "12345678-1234-1234-1234-123456789012", "job_0063f1b2c3d4e50123456789abcdef"
    assert len(tickets.mint(user, "job", job)[0]) < 160


def test_a_ticket_with_one_sign_changed_is_none(tickets: Tickets) -> None:
    text, _ = tickets.mint("ann", "job", "job_1")
    for place in range(len(text)):
        for sign in "Az0-_=! \n\0é":
            changed = text[:place] + sign + text[place + 1 :]
            if changed != text:
                with pytest.raises(Unauthenticated):
                    tickets.check(changed)
    for changed in (text[:-1], text + "A", text + "=", text + "\n", f" {text}", text * 2, text.removeprefix(PREFIX)):
        with pytest.raises(Unauthenticated):
            tickets.check(changed)


def test_what_was_sealed_for_something_else_is_no_ticket(tickets: Tickets) -> None:
    """Nor is a ticket of another version: what it says might mean something else now."""
    content = msgpack.encode(Ticket("ann", "job", "job_1", NOW + 60))
    assert tickets.check(PREFIX + seal(KEY, PURPOSE, content)).name == "job_1"
    for purpose in (b"", b"csrf 1 ann", b"ticket 2", b"ticket"):
        with pytest.raises(Unauthenticated):
            tickets.check(PREFIX + seal(KEY, purpose, content))


def test_an_endless_text_is_not_looked_at(tickets: Tickets) -> None:
    with pytest.raises(Unauthenticated):
        tickets.check(PREFIX + "A" * 10_000_000)
