"""What the settings must be together for the server to be safe, and what they are warned of."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from sse_server.config import Settings, load, refuse_exposure
from sse_server.config.guessable import KNOWN, PLACEHOLDER
from sse_server.config.loopback import is_loopback
from sse_server.config.settings import Cors
from sse_server.errors import SettingsError

Write = Callable[[str], Path]
GOOD = secrets.token_urlsafe(32)
OUTSIDE = {"HOST": "0.0.0.0"}
JWKS = {"SSE_SERVER__AUTH__JWKS_URL": "https://id.example.com/jwks.json"}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ=environ)
    return caught.value.detail


@pytest.mark.parametrize(
    ("environ", "checks"),
    [
        ({}, False),
        ({"JWT_SECRET": GOOD}, True),
        (JWKS, True),
        ({"JWT_SECRET": GOOD, "SSE_SERVER__AUTH__MODE": "jwt"}, True),
        ({"JWT_SECRET": GOOD, "SSE_SERVER__AUTH__MODE": "none"}, False),
    ],
)
def test_tokens_are_checked_as_soon_as_there_is_something_to_check_them_by(
    environ: dict[str, str], *, checks: bool
) -> None:
    assert load(environ=environ).auth.checks_tokens is checks


def test_without_authentication_the_server_is_for_this_machine_only() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"):
        refuse_exposure(load(environ={"HOST": host}))
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.com", "127.0.0.1.example.com"):
        with pytest.raises(SettingsError):
            refuse_exposure(load(environ={"HOST": host}))


def test_a_refusal_to_be_open_says_why_and_which_line_opens_it(write: Write) -> None:
    with pytest.raises(SettingsError) as caught:
        refuse_exposure(load(environ={"DYNO": "web.1"}))
    said = caught.value.detail
    assert said.startswith("server.host is '0.0.0.0' (Heroku), which other machines can reach")
    assert 'write mode = "none" under [auth] in config.toml' in said
    opened = load(write('[auth]\nmode = "none"'), environ=OUTSIDE)
    refuse_exposure(opened)
    assert opened.notes == ("auth.mode is none: whoever reaches 0.0.0.0 can start jobs and read everybody's",)
    assert "SSE_SERVER__AUTH__MODE=none" in said
    refuse_exposure(load(environ={"SSE_SERVER__AUTH__MODE": "none", **OUTSIDE}))


@pytest.mark.parametrize("environ", [{"JWT_SECRET": GOOD}, JWKS])
def test_with_authentication_the_server_is_for_everybody(environ: dict[str, str]) -> None:
    settings = load(environ=environ | OUTSIDE)
    refuse_exposure(settings)
    assert settings.notes == ()


@pytest.mark.parametrize(
    "secret",
    [
        "x" * 64,
        "0123456" * 8,
        "abcd1234" * 8,
        "secret" * 8,
        "Secret-key-of-the-server-with-48-characters-here",
        "MY_SUPER_SECRET_KEY_THAT_NOBODY_WILL_EVER_GUESS_",
        "change-me-change-me-now-please-change-me-1234567",
        "password1234567890password1234567890",
        *KNOWN,
        secrets.token_urlsafe(23),
        GOOD + "\n",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----\n",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7v0Uexample",
    ],
)
def test_a_short_or_well_known_secret_is_refused_everywhere_and_never_shown(secret: str) -> None:
    said = refusal({"JWT_SECRET": secret})
    assert said.startswith("auth.jwt_secret (JWT_SECRET) can't be used, it ")
    assert "secrets.token_urlsafe(32)" in said
    assert secret.strip() not in said


@pytest.mark.parametrize(
    "secret", [PLACEHOLDER, "the-tests-of-this-server-use-a-secret-like-this", "0123456789abcdef" * 2]
)
def test_a_secret_that_a_developer_made_up_is_for_this_machine_only(secret: str) -> None:
    settings = load(environ={"JWT_SECRET": secret})
    assert settings.auth.checks_tokens
    assert len(settings.notes) == 1
    assert "refused on any other address" in settings.notes[0]
    said = refusal({"JWT_SECRET": secret, **OUTSIDE})
    assert said.startswith("auth.jwt_secret (JWT_SECRET) is good for 127.0.0.1 only, not for '0.0.0.0' (HOST): it ")
    assert secret not in said + settings.notes[0]


def test_random_secrets_of_32_bytes_are_taken_without_a_word() -> None:
    for _ in range(200):
        for secret in (secrets.token_urlsafe(32), secrets.token_hex(32)):
            assert load(environ={"JWT_SECRET": secret, **OUTSIDE}).notes == ()


def test_mode_jwt_needs_something_to_check_tokens_by() -> None:
    assert refusal({"SSE_SERVER__AUTH__MODE": "jwt"}) == (
        "auth.mode is 'jwt' (SSE_SERVER__AUTH__MODE), but there is nothing to check tokens by:"
        " set JWT_SECRET or auth.jwks_url"
    )


def test_a_secret_beside_a_jwks_url_is_refused_with_both_places() -> None:
    assert refusal({"JWT_SECRET": GOOD, **JWKS}) == (
        "auth.jwt_secret (JWT_SECRET) and auth.jwks_url (SSE_SERVER__AUTH__JWKS_URL) are both set,"
        " but tokens are checked by one of them: take one away"
    )


def test_a_secret_that_mode_none_does_not_use_is_said() -> None:
    settings = load(environ={"JWT_SECRET": GOOD, "SSE_SERVER__AUTH__MODE": "none"})
    assert settings.notes == ("auth.mode is none: tokens are not looked at, though a secret or a JWKS URL is set",)


def test_keys_are_fetched_by_https_or_from_this_machine() -> None:
    url = "SSE_SERVER__AUTH__JWKS_URL"
    for local in ("http://127.0.0.1:9/k", "http://localhost/k", "http://[::1]:9/k"):
        assert load(environ={url: local}).auth.checks_tokens
    for foreign in ("http://id.example.com/k", "http://localhost.example.com/k", "http://127.0.0.1@example.com/k"):
        assert "keys that come without https are anybody's keys" in refusal({url: foreign})


def test_a_token_for_nobody_in_particular_is_warned_of() -> None:
    settings = load(environ={**JWKS, "SSE_SERVER__AUTH__AUDIENCE": ""})
    assert "meant for another service" in settings.notes[0]
    assert load(environ={**JWKS, "SSE_SERVER__AUTH__AUDIENCE": "", "SSE_SERVER__AUTH__ISSUER": "x"}).notes == ()


def test_the_documents_origins_are_allowed_on_this_machine_and_none_elsewhere() -> None:
    documents = ("http://localhost:3000", "http://localhost:3001", "http://localhost:5173")
    assert Settings().cors == Cors()
    assert load(environ={}).cors.origins == documents
    assert load(environ=OUTSIDE).cors.origins == ()
    assert load(environ={"CORS_ORIGINS": "http://localhost:3000", **OUTSIDE}).cors.origins == documents[:1]
    assert load(environ={"SSE_SERVER__CORS__ORIGINS": ""}).cors.origins == ()


def test_a_wildcard_origin_is_refused_because_cookies_go_along() -> None:
    said = refusal({"CORS_ORIGINS": "https://a.io,*"})
    assert said.startswith("cors.origins (CORS_ORIGINS) holds '*', but browsers send their cookies along")


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000/",
        "localhost:3000",
        "null",
        "https://*.a.io",
        "https://A.io",
        "https://a.io/x",
        "https://u@a.io",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    assert "must be a list of origins such as https://app.example.com" in refusal({"CORS_ORIGINS": origin})


def test_a_cookie_for_other_sites_must_be_secure() -> None:
    other_sites = {"SSE_SERVER__AUTH__COOKIE_SAMESITE": "none"}
    assert load(environ=other_sites).auth.cookie_samesite == "none"
    assert "browsers drop such a cookie" in refusal({**other_sites, "SSE_SERVER__AUTH__SECURE_COOKIES": "false"})


def test_a_ticket_is_good_for_at_most_12_hours() -> None:
    assert "from 1 to 43200" in refusal({"SSE_SERVER__AUTH__MAX_TICKET_TTL": "43201"})
    assert "may not exceed auth.max_ticket_ttl" in refusal({"SSE_SERVER__AUTH__MAX_TICKET_TTL": "60"})


def test_the_secret_is_never_shown() -> None:
    settings = load(environ={"JWT_SECRET": GOOD})
    assert GOOD not in repr(settings)
    assert "jwt_secret='(secret)'" in repr(settings.auth)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "localhost.", "LOCALHOST.example", "127.1", "1.2.3.4", "0", "[::"]
)
def test_what_may_be_reached_from_elsewhere_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)
