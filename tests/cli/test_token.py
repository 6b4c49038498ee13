"""`token` and `check`: who may come in, and a token for a developer."""

from __future__ import annotations

from tests.cli.conftest import Call
from tests.client.server import Start

SECRET = "q7Jw2mZr8Xc4Vb6Nn1Lk3Hg5Fd9Sa0Pu"


def test_a_minted_token_opens_the_server_that_has_the_same_secret(start: Start, call: Call) -> None:
    secret = ("--set", f"auth.jwt_secret={SECRET}")
    served = start(*secret)
    token = call("token", "alice", "--scope", "stats", *secret).stdout.strip()
    refused = call("jobs", "--url", served.url)
    assert refused.returncode != 0
    assert "token" in refused.stderr
    admitted = call("jobs", "--url", served.url, "--token", token)
    assert admitted.returncode == 0, admitted.stderr


def test_without_a_secret_no_token_is_minted_and_it_says_what_to_set(call: Call) -> None:
    minted = call("token")
    assert minted.returncode == 2
    assert "JWT_SECRET" in minted.stderr
    assert not minted.stdout


def test_check_says_who_can_reach_the_server_and_what_callers_need(call: Call) -> None:
    closed = call("check", "--store", "memory", JWT_SECRET=SECRET).stdout
    assert "reached by: this machine alone" in closed
    assert "callers: need a token" in closed
    assert SECRET not in closed
    opened = call("check", "--store", "memory").stdout
    assert "callers: anonymous, with every right" in opened


def test_check_fails_where_the_server_would_refuse_to_start(call: Call) -> None:
    checked = call("check", "--store", "memory", "--host", "0.0.0.0")
    assert checked.returncode == 1
    assert 'mode = "none"' in checked.stderr
