"""Forged requests: what another page makes a browser send changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict

from sse_server.auth import ANONYMOUS, Csrf, How, Identity
from sse_server.auth.csrf import TTL, own_origin
from sse_server.config import Auth, Cors
from sse_server.errors import Forbidden

KEY = bytes(range(32))
NOW = 1_800_000_000
HOST = {"Host": "app.example.com"}
OWN = "https://app.example.com"
FRIEND = "https://friend.example.com"


def caller(user: str = "ann", how: How = "cookie") -> Identity:
    return Identity(user, frozenset(), NOW + 60, how)


@pytest.fixture
def csrf(clock: Any) -> Csrf:
    return Csrf(KEY, Auth(), Cors(origins=(FRIEND,)), clock=clock)


def writes(csrf: Csrf, headers: dict[str, str], *, who: Identity | None = None, twin: str = "") -> bool:
    """Whether this POST to https://app.example.com is let through."""
    try:
        csrf.allow_write(who or caller(), CIMultiDict(HOST | headers), "https", twin)
    except Forbidden:
        return False
    return True


def starts(csrf: Csrf, headers: dict[str, str], who: Identity | None = None) -> bool:
    """Whether this GET that starts work is let through."""
    try:
        csrf.allow_start(who or caller(), CIMultiDict(HOST | headers))
    except Forbidden:
        return False
    return True


def test_a_cookie_alone_changes_nothing(csrf: Csrf) -> None:
    assert not writes(csrf, {})
    assert not writes(csrf, {"X-CSRF-Token": ""})


@pytest.mark.parametrize("how", ["bearer", "header", "ticket", "none"])
def test_only_cookies_are_sent_unasked(how: How, csrf: Csrf) -> None:
    assert writes(csrf, {}, who=caller(how=how))
    assert starts(csrf, {}, caller(how=how))
    assert writes(csrf, {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"}, who=ANONYMOUS)


def test_a_token_lets_its_user_through(csrf: Csrf) -> None:
    token = csrf.token("ann")
    assert writes(csrf, {"x-csrf-token": token})
    assert writes(csrf, {"X-CSRF-Token": token}, twin=token)
    assert writes(csrf, {"X-CSRF-Token": token, "Origin": FRIEND, "Sec-Fetch-Site": "cross-site"})


def test_a_token_is_of_no_use_to_another_user(csrf: Csrf) -> None:
    assert not writes(csrf, {"X-CSRF-Token": csrf.token("mallory")})
    assert not writes(csrf, {"X-CSRF-Token": csrf.token("ann")}, who=caller("bob"))
    assert not writes(csrf, {"X-CSRF-Token": csrf.token("ann ")})


def test_a_token_and_its_cookie_are_equal_if_both_come(csrf: Csrf) -> None:
    token = csrf.token("ann")
    for twin in (csrf.token("ann"), csrf.token("bob"), "x", token + "x", "é", "\udcff"):
        assert not writes(csrf, {"X-CSRF-Token": token}, twin=twin)


def test_a_token_expires(csrf: Csrf, clock: Any) -> None:
    token = csrf.token("ann")
    clock.now = NOW + TTL - 1
    assert writes(csrf, {"X-CSRF-Token": token})
    clock.now = NOW + TTL
    assert not writes(csrf, {"X-CSRF-Token": token})


def test_two_tabs_share_a_token_while_it_is_young(csrf: Csrf, clock: Any) -> None:
    token = csrf.token("ann")
    assert csrf.token("ann") != token
    clock.now = NOW + TTL / 2 - 1
    assert csrf.token("ann", twin=token) == token
    assert csrf.token("bob", twin=token) != token
    clock.now = NOW + TTL / 2
    assert csrf.token("ann", twin=token) != token
    for garbage in ("", "csrf_", "csrf_AAAA", "x", "\udcff"):
        assert writes(csrf, {"X-CSRF-Token": csrf.token("ann", twin=garbage)})


def test_a_token_with_one_sign_changed_is_none(csrf: Csrf) -> None:
    token = csrf.token("ann")
    for place in range(len(token)):
        assert not writes(csrf, {"X-CSRF-Token": token[:place] + "~" + token[place + 1 :]})
    for changed in (token[:-1], token + "A", token.removeprefix("csrf_"), token * 2, "csrf_" + "A" * 1_000_000):
        assert not writes(csrf, {"X-CSRF-Token": changed})


@pytest.mark.parametrize("proof", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": OWN}])
def test_the_browsers_own_word_is_enough(proof: dict[str, str], csrf: Csrf) -> None:
    assert writes(csrf, proof)
    assert writes(csrf, proof | {"X-CSRF-Token": "wrong"})


@pytest.mark.parametrize(
    "word",
    [
        *(
            {"Sec-Fetch-Site": site}
            for site in ("cross-site", "same-site", "none", "", "Same-Origin", "same-origin, x")
        ),
        *(
            {"Origin": origin}
            for origin in (
                "null",
                "",
                FRIEND,
                "http://app.example.com",
                "https://app.example.com.evil.com",
                "https://evil.com/https://app.example.com",
                "https://app.example.com:444",
                "https://app.example.com/",
                "https://APP.example.com",
                "app.example.com",
                "https://",
            )
        ),
        {"Referer": f"{OWN}/page"},
        {"X-Requested-With": "XMLHttpRequest"},
    ],
)
def test_any_other_word_is_not(word: dict[str, str], csrf: Csrf) -> None:
    assert not writes(csrf, word)


def test_what_a_proxy_forwards_counts_only_where_the_settings_say_so(clock: Any) -> None:
    trusting = Csrf(KEY, Auth(trust_forwarded=True), Cors(), clock=clock)
    distrusting = Csrf(KEY, Auth(), Cors(), clock=clock)
    forwarded = {"X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "shop.example.com, inner"}
    request = CIMultiDict({"Host": "10.0.0.1:8000", "Origin": "https://shop.example.com"} | forwarded)
    trusting.allow_write(caller(), request, "http")
    with pytest.raises(Forbidden):
        distrusting.allow_write(caller(), request, "http")
    with pytest.raises(Forbidden):
        trusting.allow_write(caller(), CIMultiDict({**request, "Origin": "http://10.0.0.1:8000"}), "http")
    plain = CIMultiDict({"Host": "10.0.0.1:8000", "Origin": "http://10.0.0.1:8000"})
    trusting.allow_write(caller(), plain, "http")


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("http", "localhost:8000", "http://localhost:8000"),
        ("http", "Example.com:80", "http://example.com"),
        ("https", "example.com:443", "https://example.com"),
        ("https", "example.com:80", "https://example.com:80"),
        ("http", "[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(scheme: str, host: str, origin: str) -> None:
    assert own_origin({"Host": host}, scheme, forwarded=False) == origin


def test_a_get_that_starts_work_needs_a_page_of_ours_or_a_friends(csrf: Csrf) -> None:
    assert starts(csrf, {"Sec-Fetch-Site": "same-origin"})
    assert starts(csrf, {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"})


@pytest.mark.parametrize(
    "word",
    [
        {},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Referer": f"{OWN}/page"},
    ],
)
def test_a_link_an_image_or_a_foreign_page_starts_nothing(word: dict[str, str], csrf: Csrf) -> None:
    """A CSRF token doesn't help here: an EventSource can't send one."""
    assert not starts(csrf, word)
    assert not starts(csrf, word | {"X-CSRF-Token": csrf.token("ann")})
