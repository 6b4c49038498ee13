"""What settings are refused, and that the refusal names the place, the setting and what was expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sse_server.config import Settings, load
from sse_server.config.environment import REFUSED
from sse_server.errors import SettingsError

Write = Callable[[str], Path]
SECRET = "sk-do-not-show"


def env(name: str) -> str:
    """The environment's name for a setting."""
    return f"SSE_SERVER__{name.upper().replace('.', '__')}"


def refusal(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> str:
    """What a start with these settings is refused with."""
    with pytest.raises(SettingsError) as caught:
        load(path, environ=environ or {}, flags=flags)
    return caught.value.detail


@pytest.mark.parametrize(
    ("unknown", "nearest"),
    [
        ("stream.retri_ms", "stream.retry_ms"),
        ("strem.retry_ms", "stream.retry_ms"),
        ("strem.retri_ms", "stream.retry_ms"),
        ("stream.heartbeat", "stream.heartbeat_interval"),
        ("stream.chars", "emission.chars"),
        ("port", "server.port"),
        ("stream", "[stream]"),
        ("agent.tailor", "agents.tailor"),
        ("agents", "[agents]"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one_and_its_place(
    unknown: str, nearest: str, write: Write
) -> None:
    says = f"unknown setting '{unknown}'; the nearest is {nearest}"
    section, _, key = unknown.rpartition(".")
    path = write(f'[{section}]\n{key} = "x"' if section else f'{key} = "x"')

    assert refusal(path) == f"{path}: {says}"
    assert refusal(environ={env(unknown): "x"}) == f"{env(unknown)}: {says}"
    assert refusal(flags={unknown: "x"}) == f"the command line: {says}"


def test_an_unknown_table_is_refused_even_if_it_is_empty(write: Write) -> None:
    assert "unknown setting 'strem'; the nearest is [stream]" in refusal(write("[strem]"))
    assert load(write("[stream]\n[agents]"), environ={}) == Settings()


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("server.port", '"8000"', "a whole number from 0 to 65535, not '8000'"),
        ("server.port", "65536", "a whole number from 0 to 65535, not 65536"),
        ("server.port", "80.0", "a whole number from 0 to 65535, not 80.0"),
        ("server.access_log", "1", "true or false, not 1"),
        ("stream.heartbeat_interval", "0", "a number above 0, not 0"),
        ("stream.heartbeat_interval", "true", "a number above 0, not True"),
        ("stream.max_age", "nan", "a number, 0 or more, not nan"),
        ("stream.max_age", "inf", "a number, 0 or more, not inf"),
        ("jobs.concurrency", "0", "a whole number, 1 or more, not 0"),
        ("store.max_bytes", "10000000000000000000000", "a whole number, 1 or more, not 10000000000000000000000"),
        ("store.kind", '"redis"', "one of sqlite, memory, not 'redis'"),
        ("store.path", '""', "text that is not empty, not ''"),
        ("store.path", "1979-05-27", "text that is not empty, not datetime.date(1979, 5, 27)"),
        ("store.commit_interval", "2", "a number from 0 to 1, not 2"),
        ("log.level", '"loud"', "one of debug, info, warning, error, not 'loud'"),
        ("provider.base_url", '"localhost"', "an http or https URL, or empty, not 'localhost'"),
        ("agents.tailor", '"tailor.py"', "\"module:attribute\", not 'tailor.py'"),
        ("agents.tailor", "{}", '"module:attribute", not {}'),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(name: str, written: str, expected: str, write: Write) -> None:
    section, key = name.split(".")
    path = write(f"[{section}]\n{key} = {written}")
    assert refusal(path) == f"{path}: {name} must be {expected}"


@pytest.mark.parametrize("written", ["abc", "-1", "0", "nan", "inf", "1e-400", "1e400"])
def test_a_heartbeat_that_is_no_time_is_refused(written: str) -> None:
    says = refusal(environ={"OPENAI_SSE_HEARTBEAT_MS": written})
    assert says.startswith("OPENAI_SSE_HEARTBEAT_MS: stream.heartbeat_interval must be a number above 0, not ")


def test_a_wrong_value_is_refused_even_where_a_better_one_wins(write: Write) -> None:
    assert "server.port" in refusal(write('[server]\nport = "x"'), environ={"PORT": "80"})


def test_a_long_wrong_value_is_cut() -> None:
    assert len(refusal(environ={"PORT": "x" * 10_000})) < 200


@pytest.mark.parametrize(
    ("flags", "less", "more"),
    [
        (
            {"stream.padding_bytes": 20_000},
            "stream.padding_bytes is 20000 (the command line)",
            "stream.max_padding_bytes, which is 16384 (default)",
        ),
        (
            {"jobs.max_timeout": 9},
            "jobs.timeout is 600.0 (default)",
            "jobs.max_timeout, which is 9.0 (the command line)",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_both_places(
    flags: dict[str, object], less: str, more: str
) -> None:
    assert refusal(flags=flags) == f"{less}, but may not exceed {more}"


def test_settings_at_their_limit_are_taken() -> None:
    at_limit = {"stream.padding_bytes": 16_384, "jobs.timeout": 9, "jobs.max_timeout": 9}
    assert load(environ={}, flags=at_limit).origins.keys() == at_limit.keys()


def test_a_named_file_must_exist_and_be_a_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.toml") == f"{tmp_path / 'none.toml'} can't be read: No such file or directory"
    assert refusal(tmp_path) == f"{tmp_path} can't be read: Is a directory"


def test_a_broken_file_is_refused_with_the_line(write: Write) -> None:
    path = write("[server]\nport = 1\nhost = \n")
    assert refusal(path).startswith(f"{path} is not TOML: ")
    assert "line 3" in refusal(path)


def test_a_file_in_another_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes("[store]\n# für\n".encode("latin-1"))
    assert refusal(path) == f"{path} is not UTF-8 (at line 2)"


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 1\r\n")
    assert load(path, environ={}).server.port == 1


@pytest.mark.parametrize("variable", REFUSED)
def test_what_can_not_be_honoured_is_refused_and_never_shown(variable: str) -> None:
    says = refusal(environ={variable: SECRET})
    assert says == f"{variable} is set, but {REFUSED[variable]}: unset it"
    assert load(environ={variable: ""}) == Settings()


@pytest.mark.parametrize("wanted", ["2", "0", "auto"])
def test_more_than_one_process_is_refused_if_a_person_asked_for_it(wanted: str) -> None:
    assert refusal(environ={"WEB_CONCURRENCY": wanted}).startswith(f"WEB_CONCURRENCY is '{wanted}', but ")
    assert load(environ={"WEB_CONCURRENCY": "1"}).notes == ()
    assert load(environ={"WEB_CONCURRENCY": ""}).notes == ()


def test_a_refusal_never_shows_a_secret(write: Write) -> None:
    path = write("[provider]\napi_key = 123454321")
    assert refusal(path) == f"{path}: provider.api_key must be text"
    assert SECRET not in refusal(environ={env("provider.api_ky"): SECRET})
    assert SECRET not in refusal(write(f'[provider]\napi_ky = "{SECRET}"'))
