"""Safety: what has to be true of the settings together before anybody may reach the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from sse_server.config.guessable import doubt, fault
from sse_server.config.loopback import is_loopback
from sse_server.config.settings import Settings
from sse_server.errors import SettingsError

HOW_TO_MAKE_ONE: Final = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"


def vetted(settings: Settings) -> Settings:
    """The same settings with what is to be warned of in `notes`, and no foreign origin by default unless on loopback.

    Raises SettingsError.
    """
    _check_cookies(settings)
    _check_origins(settings)
    warnings = tuple(_check_tokens(settings))
    if settings.is_exposed and "cors.origins" not in settings.origins:
        settings = replace(settings, cors=replace(settings.cors, origins=()))
    return replace(settings, notes=(*settings.notes, *warnings))


def refuse_exposure(settings: Settings) -> None:
    """Raise SettingsError where anybody could use the server from another machine and nobody wrote that they may.

    Called before it listens, and not when the settings are loaded: `sse-server check` shows them all the same.
    """
    if settings.is_exposed and not settings.auth.checks_tokens and settings.auth.mode != "none":
        raise SettingsError(
            f"server.host is {_said(settings, 'server.host')}, which other machines can reach, and without"
            " authentication each of them could start jobs and read everybody's. Set JWT_SECRET or auth.jwks_url, so"
            ' that callers need a token; or listen on 127.0.0.1; or write mode = "none" under [auth] in config.toml'
            " (SSE_SERVER__AUTH__MODE=none in the environment) to be open on purpose"
        )


def _check_tokens(settings: Settings) -> Iterator[str]:
    """What is to be said about who may come in."""
    auth = settings.auth
    if auth.mode == "none":
        if auth.jwt_secret or auth.jwks_url:
            yield "auth.mode is none: tokens are not looked at, though a secret or a JWKS URL is set"
        if settings.is_exposed:
            yield f"auth.mode is none: whoever reaches {settings.server.host} can start jobs and read everybody's"
    elif auth.jwt_secret and auth.jwks_url:
        raise SettingsError(
            f"auth.jwt_secret ({_place(settings, 'auth.jwt_secret')}) and auth.jwks_url"
            f" ({_place(settings, 'auth.jwks_url')}) are both set, but tokens are checked by one of them: take one away"
        )
    elif auth.jwt_secret:
        yield from _check_secret(settings)
    elif auth.jwks_url:
        _check_url(settings)
        if not (auth.issuer or auth.audience):
            yield "auth.issuer and auth.audience are empty: a token that was meant for another service is taken too"
    elif auth.mode == "jwt":
        raise SettingsError(
            f"auth.mode is 'jwt' ({_place(settings, 'auth.mode')}), but there is nothing to check tokens by:"
            " set JWT_SECRET or auth.jwks_url"
        )


def _check_secret(settings: Settings) -> Iterator[str]:
    secret, place = settings.auth.jwt_secret, _place(settings, "auth.jwt_secret")
    if wrong := fault(secret):
        raise SettingsError(f"auth.jwt_secret ({place}) can't be used, it {wrong}; {HOW_TO_MAKE_ONE}")
    if doubtful := doubt(secret):
        if settings.is_exposed:
            host = _said(settings, "server.host")
            raise SettingsError(
                f"auth.jwt_secret ({place}) is good for 127.0.0.1 only, not for {host}: it {doubtful};"
                f" {HOW_TO_MAKE_ONE}"
            )
        yield f"auth.jwt_secret {doubtful}: good enough on this machine, and refused on any other address"


def _check_url(settings: Settings) -> None:
    url = urlsplit(settings.auth.jwks_url)
    if url.scheme != "https" and not is_loopback(url.hostname or ""):
        raise SettingsError(
            f"auth.jwks_url is {_said(settings, 'auth.jwks_url')}, but keys that come without https are anybody's keys"
        )


def _check_origins(settings: Settings) -> None:
    if "*" in settings.cors.origins:
        raise SettingsError(
            f"cors.origins ({_place(settings, 'cors.origins')}) holds '*', but browsers send their cookies along, so"
            " every page in the world could act for your users: name the origins"
        )


def _check_cookies(settings: Settings) -> None:
    if settings.auth.cookie_samesite == "none" and not settings.auth.secure_cookies:
        raise SettingsError(
            "auth.cookie_samesite is 'none', and browsers drop such a cookie unless auth.secure_cookies is on"
        )


def _place(settings: Settings, name: str) -> str:
    """Where a setting was written."""
    return settings.origins.get(name, "default")


def _said(settings: Settings, name: str) -> str:
    """A setting's value and where it was written."""
    section, key = name.split(".")
    return f"{getattr(getattr(settings, section), key)!r} ({_place(settings, name)})"
