"""Where the values of settings come from, which of them wins, and what the server says about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sse_server.config import DEFAULT_PATH, Field, Settings, fields, listing, load
from sse_server.errors import SettingsError

Write = Callable[[str], Path]
SECRET = "sk-do-not-show"


def env(name: str) -> str:
    """The environment's name for a setting."""
    return f"SSE_SERVER__{name.upper().replace('.', '__')}"


def value_of(settings: Settings, name: str) -> Any:
    section, key = name.split(".")
    return getattr(getattr(settings, section), key)


def test_nothing_written_gives_the_defaults() -> None:
    assert load(environ={}) == Settings()


def test_each_source_wins_over_the_one_before_it(write: Write) -> None:
    path = write("[stream]\nheartbeat_interval = 2")
    environ = {"DYNO": "web.1"}
    assert load(environ=environ).origins["stream.heartbeat_interval"] == "Heroku"

    environ_and_origin = [
        ({}, str(path), 2),
        ({"OPENAI_SSE_HEARTBEAT_MS": "3000"}, "OPENAI_SSE_HEARTBEAT_MS", 3),
        ({env("stream.heartbeat_interval"): "4"}, env("stream.heartbeat_interval"), 4),
    ]
    for added, origin, seconds in environ_and_origin:
        environ |= added
        settings = load(path, environ=environ)
        assert settings.stream.heartbeat_interval == seconds
        assert settings.origins["stream.heartbeat_interval"] == origin

    settings = load(path, environ=environ, flags={"stream.heartbeat_interval": 5})
    assert settings.stream.heartbeat_interval == 5
    assert settings.origins["stream.heartbeat_interval"] == "the command line"


def test_the_file_in_the_working_directory_is_read_unless_another_is_named(write: Write) -> None:
    DEFAULT_PATH.write_text("[server]\nport = 1")
    assert load(environ={}).server.port == 1
    assert load(write("[server]\nport = 2"), environ={}).server.port == 2


def test_the_process_environment_is_read_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(env("server.port"), "81")
    assert load().server.port == 81


@pytest.mark.parametrize("field", fields().values(), ids=lambda field: field.name)
def test_every_setting_can_be_written_in_the_environment(field: Field) -> None:
    text = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
    settings = load(environ={env(field.name): text})
    assert value_of(settings, field.name) == field.default
    assert type(value_of(settings, field.name)) is type(field.default)
    assert settings.origins == {field.name: env(field.name)}


@pytest.mark.parametrize(
    ("variable", "written", "name", "value"),
    [
        ("HOST", "0.0.0.0", "server.host", "0.0.0.0"),
        ("PORT", "5000", "server.port", 5000),
        ("LOG_LEVEL", "WARNING", "log.level", "warning"),
        ("JWT_SECRET", "kR9sW2vQ7xL4mN8pT3yB6dF1hJ5gC0zA", "auth.jwt_secret", "kR9sW2vQ7xL4mN8pT3yB6dF1hJ5gC0zA"),
        ("CORS_ORIGINS", "https://a.io,https://b.io", "cors.origins", ("https://a.io", "https://b.io")),
        ("DATABASE_PATH", "/data/x.db", "store.path", "/data/x.db"),
        ("OPENAI_API_KEY", SECRET, "provider.api_key", SECRET),
        ("OPENAI_BASE_URL", "http://localhost:11434/v1", "provider.base_url", "http://localhost:11434/v1"),
        ("OPENAI_SSE_HEARTBEAT_MS", "2500", "stream.heartbeat_interval", 2.5),
    ],
)
def test_usual_names_are_read_and_an_empty_one_says_nothing(
    variable: str, written: str, name: str, value: object
) -> None:
    settings = load(environ={variable: written})
    assert value_of(settings, name) == value
    assert settings.origins == {name: variable}
    assert load(environ={variable: ""}) == Settings()


def test_an_empty_own_name_says_empty(write: Write) -> None:
    path = write('[log]\nfile = "server.log"')
    assert load(path, environ={env("log.file"): ""}).log.file == ""
    with pytest.raises(SettingsError, match=r"server\.port must be a whole number"):
        load(environ={env("server.port"): ""})


@pytest.mark.parametrize(("written", "value"), [("true", True), ("TRUE", True), ("1", True), ("false", False)])
def test_text_spells_true_and_false(written: str, value: object) -> None:
    assert load(environ={env("server.access_log"): written}).server.access_log is value


def test_text_spells_a_list_with_commas() -> None:
    origins = Field(name="cors.origins", kind=list[str], default=[], description="")
    assert origins.read("http://a, http://b,", "here", text=True) == ["http://a", "http://b"]
    assert origins.read(["http://a,b"], "here", text=False) == ["http://a,b"]
    with pytest.raises(SettingsError, match="must be a list, not 'http://a'"):
        origins.read("http://a", "here", text=False)


def test_what_the_command_line_does_not_say_changes_nothing() -> None:
    assert load(environ={}, flags={"server.port": None}) == Settings()


def test_agents_are_named_in_the_file_the_environment_and_on_the_command_line(write: Write) -> None:
    path = write('[agents]\ntailor = "shop.tailor:tailor"\nhello = "hello:agent"')
    environ = {"SSE_SERVER__AGENTS__HELLO": "other.module:agent", "SSE_SERVER__AGENTS__MY__OWN": "m:a"}
    settings = load(path, environ=environ, flags={"agents.flag": "f:a"})
    assert settings.agents == {
        "tailor": "shop.tailor:tailor",
        "hello": "other.module:agent",
        "my__own": "m:a",
        "flag": "f:a",
    }
    assert settings.origins["agents.hello"] == "SSE_SERVER__AGENTS__HELLO"


def test_what_kubernetes_injects_for_a_service_of_this_name_is_not_a_setting() -> None:
    assert load(environ={"SSE_SERVER_PORT": "tcp://10.0.0.1:8000", "SSE_SERVER_SERVICE_HOST": "10.0.0.1"}) == Settings()


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().server.port = 1  # type: ignore[misc]


def test_more_than_one_process_is_ignored_with_a_note_if_the_platform_asked_for_it() -> None:
    settings = load(environ={"WEB_CONCURRENCY": "4", "WEB_CONCURRENCY_SET_BY": "heroku/python"})
    assert settings.notes == ("WEB_CONCURRENCY=4, set by heroku/python, is ignored: the store serves one process",)


def test_the_start_up_line_says_where_values_were_written(write: Write) -> None:
    path = write("[stream]\nretry_ms = 1\nmax_age = 2")
    assert load(environ={}).describe() == "no platform recognised; settings written in: nowhere, so at their defaults"
    assert load(path, environ={"PORT": "80"}).describe() == (
        f"no platform recognised; settings written in: {path}, PORT"
    )


def test_the_listing_has_every_setting_with_its_value_and_origin() -> None:
    settings = load(environ={"PORT": "80"}, flags={"agents.a": "b:c"})
    listed = {name: (value, origin) for name, value, origin in listing(settings)}
    assert listed.keys() == {*fields(), "agents.a"}
    assert listed["server.port"] == (80, "PORT")
    assert listed["agents.a"] == ("b:c", "the command line")
    assert listed["server.host"] == ("127.0.0.1", "default")


def test_a_secret_is_never_shown() -> None:
    settings = load(environ={"OPENAI_API_KEY": SECRET})
    assert settings.provider.api_key == SECRET
    shown = [repr(settings), str(settings), repr(settings.provider.__rich_repr__()), settings.describe()]
    assert all(SECRET not in text for text in [*shown, *map(str, listing(settings))])
    assert "api_key='(secret)'" in repr(settings.provider)
    assert "api_key=''" in repr(Settings().provider)
