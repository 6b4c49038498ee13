"""Platforms: each is recognised by its variable and gets settings that its routers and its grace can bear."""

from __future__ import annotations

from pathlib import Path

import pytest

from sse_server.config import PLATFORMS, Platform, Settings, fields, listing, load
from sse_server.config.fields import find

ROOT = Path(__file__).parents[2]

GRACE = {"Heroku": 30, "Railway": 0, "Cloud Run": 10, "Render": 30, "Fly": 5}
"""Seconds between SIGTERM (Fly: SIGINT) and SIGKILL."""
AGE = {"Railway": 900, "Cloud Run": 300, "Render": 6000}
"""Seconds after which the router cuts a request."""
IDLE = {"Heroku": 55, "Render": 100}
"""Seconds of silence after which the router cuts a stream."""
KEEPALIVE = {"Heroku": 90, "Render": 100}
"""Seconds for which the router keeps an idle connection."""

each_platform = pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)


def on(platform: Platform, **environ: str) -> Settings:
    return load(environ={platform.variable: "anything", **environ})


def test_the_platforms_are_told_apart_by_the_variables_they_set() -> None:
    assert {platform.variable: platform.name for platform in PLATFORMS} == {
        "DYNO": "Heroku",
        "RAILWAY_ENVIRONMENT_ID": "Railway",
        "K_SERVICE": "Cloud Run",
        "RENDER": "Render",
        "FLY_APP_NAME": "Fly",
    }


@each_platform
def test_a_platform_sets_what_its_table_says_and_says_why(platform: Platform) -> None:
    settings = on(platform)
    assert settings.platform is platform
    assert settings.notes == (platform.caution,)
    assert settings.origins == dict.fromkeys(platform.settings, platform.name)
    listed = {name: value for name, value, _ in listing(settings)}
    for name, because in platform.settings.items():
        assert listed[name] == because.value
        assert f"{name}={because.value} ({because.why})" in settings.describe()


@each_platform
def test_an_empty_variable_is_no_platform(platform: Platform) -> None:
    assert load(environ={platform.variable: ""}) == Settings()


@each_platform
def test_a_platform_sets_known_settings_in_their_own_types(platform: Platform) -> None:
    for name, because in platform.settings.items():
        value = find(name, platform.name).read(because.value, platform.name, text=False)
        assert type(value) is type(because.value) is type(fields()[name].default)


@each_platform
def test_a_platform_lets_its_router_in(platform: Platform) -> None:
    assert on(platform).server.host == "0.0.0.0"


@each_platform
def test_the_drain_ends_before_the_platform_kills(platform: Platform) -> None:
    drain, grace = on(platform).server.drain_timeout, GRACE[platform.name]
    assert drain < grace or drain == grace == 0


@each_platform
def test_a_stream_is_ended_before_the_router_cuts_it(platform: Platform) -> None:
    if platform.name in AGE:
        assert 0 < on(platform).stream.max_age < AGE[platform.name]
    else:
        assert on(platform).stream.max_age == 0


@each_platform
def test_a_heartbeat_comes_before_the_router_takes_a_stream_for_dead(platform: Platform) -> None:
    assert on(platform).stream.heartbeat_interval * 2 < IDLE.get(platform.name, 55)


@each_platform
def test_the_server_never_closes_an_idle_connection_that_the_router_still_trusts(platform: Platform) -> None:
    assert on(platform).server.keepalive_timeout > KEEPALIVE.get(platform.name, 0)


def test_cloud_run_is_padded_as_its_document_says_and_nobody_else() -> None:
    padding = {platform.name: on(platform).stream.padding_bytes for platform in PLATFORMS}
    assert padding == dict.fromkeys(padding, 0) | {"Cloud Run": 2048}


@each_platform
def test_what_a_person_wrote_wins_over_the_platform(platform: Platform, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[server]\nhost = "127.0.0.1"\ndrain_timeout = 1')
    settings = load(path, environ={platform.variable: "x", "PORT": "5000"})
    assert (settings.server.host, settings.server.drain_timeout) == ("127.0.0.1", 1)
    assert "drain_timeout=" not in settings.describe()
    assert settings.describe().endswith(f"; other settings written in: {path}, PORT")


@each_platform
def test_the_shipped_file_hides_nothing_that_the_platform_sets(platform: Platform) -> None:
    assert load(ROOT / "config.toml", environ={platform.variable: "x"}) == on(platform)


def test_heroku_with_its_own_process_count_starts() -> None:
    settings = load(
        environ={"DYNO": "web.1", "PORT": "5000", "WEB_CONCURRENCY": "2", "WEB_CONCURRENCY_SET_BY": "heroku"}
    )
    assert settings.server.port == 5000
    assert settings.notes[0] == "WEB_CONCURRENCY=2, set by heroku, is ignored: the store serves one process"


def test_the_line_says_so_when_a_person_wrote_all_that_a_platform_would_set() -> None:
    fly = next(platform for platform in PLATFORMS if platform.name == "Fly")
    settings = load(
        environ={"FLY_APP_NAME": "x"}, flags={name: because.value for name, because in fly.settings.items()}
    )
    assert settings.describe() == (
        "Fly (FLY_APP_NAME is set): nothing taken; other settings written in: the command line"
    )
