"""Where a server's agents come from, and what is said when one is not there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sse_server import Job, agent
from sse_server.agents import Agent, Registry
from sse_server.errors import AgentError, AgentUnknown

ECHO = """
from __future__ import annotations
from msgspec import Struct
from sse_server import Job, agent

class Input(Struct):
    text: str

@agent({name!r})
def echo(input: Input, job: Job) -> str:
    return input.text

class Agents:
    inner = echo
"""


@agent("echo")
def echo(input: str, _: Job) -> str:
    return input


@agent("echo")
def other(input: str, _: Job) -> str:
    return input


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that one works in; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def module(path: Path, text: str = ECHO, *, name: str = "echo") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("{name!r}", repr(name)))
    return str(path)


def names(registry: Registry) -> list[str]:
    return [name for name, _ in registry]


def test_agents_are_listed_by_name() -> None:
    registry = Registry([Agent("b", echo.function), Agent("a", echo.function)])
    assert names(registry) == ["a", "b"]
    assert "a" in registry
    assert "c" not in registry


def test_two_agents_of_one_name_are_refused() -> None:
    with pytest.raises(AgentError, match="two agents are named 'echo'"):
        Registry([echo, other])


def test_the_same_agent_may_come_twice() -> None:
    assert names(Registry([echo, echo])) == ["echo"]


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(AgentUnknown, match="did you mean 'echo'"):
        Registry([echo]).get("ehco")
    with pytest.raises(AgentUnknown) as refused:
        Registry([echo]).get("something else entirely")
    assert "mean" not in refused.value.detail


def test_a_module_gives_all_its_agents(here: Path) -> None:
    module(here / "package" / "__init__.py", "")
    module(here / "package" / "agents.py", ECHO + "second = agent('second')(echo.function)")
    registry = Registry()
    registry.load_module("package.agents")
    assert names(registry) == ["echo", "second"]


def test_an_agent_that_a_module_imports_is_its_agent_too(here: Path) -> None:
    module(here / "first.py")
    module(here / "second.py", "from first import echo")
    registry = Registry()
    registry.load_module("first")
    registry.load_module("second")
    assert names(registry) == ["echo"]


def test_a_file_gives_its_agents_and_their_types_are_read(here: Path) -> None:
    registry = Registry()
    registry.load_module(module(here / "agents.py"))
    assert registry.get("echo").read_input(b'{"text":"x"}').text == "x"


def test_files_of_one_name_in_two_folders_do_not_meet(here: Path) -> None:
    registry = Registry()
    registry.load_module(module(here / "a" / "agents.py", name="a"))
    registry.load_module(module(here / "b" / "agents.py", name="b"))
    assert names(registry) == ["a", "b"]


def test_a_file_named_like_a_module_of_python_does_not_become_it(here: Path) -> None:
    import json

    Registry().load_module(module(here / "json.py"))
    assert sys.modules["json"] is json


def test_a_file_that_is_named_twice_is_loaded_once(here: Path) -> None:
    registry = Registry()
    registry.load_module(module(here / "agents.py"))
    registry.load_module("./agents.py")
    assert names(registry) == ["echo"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing.py", "nothing.py: there is no such file"),
        ("folder.py", "folder.py: there is no such file"),
        ("nowhere.agents", "can't import nowhere.agents: ModuleNotFoundError"),
        (".relative", "can't import .relative: TypeError"),
        ("", "can't import : ValueError"),
        ("torn.py", "can't import torn.py: SyntaxError"),
        ("raising.py", "can't import raising.py: ZeroDivisionError"),
        ("refused.py", "refused.py: agent 'echo' must take exactly"),
        ("empty.py", "empty.py has no agents"),
    ],
)
def test_what_can_not_be_loaded_is_named(here: Path, name: str, said: str) -> None:
    (here / "folder.py").mkdir()
    module(here / "torn.py", "def")
    module(here / "raising.py", "1 / 0")
    module(here / "refused.py", ECHO.replace("input: Input, job: Job", "input: Input"))
    module(here / "empty.py", "x = 1")
    with pytest.raises(AgentError) as refused:
        Registry().load_module(name)
    assert refused.value.detail.startswith(said)


def test_a_file_that_failed_is_tried_again(here: Path) -> None:
    path = here / "agents.py"
    with pytest.raises(AgentError):
        Registry().load_module(module(path, "1 / 0"))
    registry = Registry()
    registry.load_module(module(path, ECHO + "# mended"))
    assert names(registry) == ["echo"]


def test_settings_name_agents_after_their_own_taste(here: Path) -> None:
    module(here / "agents.py")
    registry = Registry()
    registry.load_named({"repeat": "agents:echo", "inner": "agents:Agents.inner"})
    assert names(registry) == ["inner", "repeat"]


@pytest.mark.parametrize("target", ["agents:Input", "agents:nothing", "agents:Agents.nothing", "agents:echo.nothing"])
def test_a_setting_that_names_no_agent_is_refused(here: Path, target: str) -> None:
    module(here / "agents.py")
    with pytest.raises(AgentError, match=f"repeat: {target} is no agent"):
        Registry().load_named({"repeat": target})


def install(here: Path, target: str) -> None:
    """A distribution that offers `target` as an agent."""
    information = here / "weather-1.0.dist-info"
    module(information / "METADATA", "Metadata-Version: 2.1\nName: weather\nVersion: 1.0\n")
    module(information / "entry_points.txt", f"[sse_server.agents]\nforecast = {target}\n")


def test_an_installed_package_offers_its_agents(here: Path) -> None:
    module(here / "weather.py")
    install(here, "weather:echo")
    registry = Registry()
    registry.load_installed()
    assert names(registry) == ["forecast"]


@pytest.mark.parametrize("target", ["weather:Input", "weather:nothing", "nowhere:echo"])
def test_an_installed_package_that_offers_none_is_named(here: Path, target: str) -> None:
    module(here / "weather.py")
    install(here, target)
    with pytest.raises(AgentError, match=target):
        Registry().load_installed()
