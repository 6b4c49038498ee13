"""Which agents a server has: from modules and files, from settings, and from installed packages."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from sse_server.agents.definition import Agent
from sse_server.errors import AgentError, AgentUnknown

ENTRY_POINTS = "sse_server.agents"


class Registry:
    """Agents by their names."""

    def __init__(self, agents: Iterable[Agent] = ()) -> None:
        self._agents: dict[str, Agent] = {}
        for one in agents:
            self.add(one.name, one)

    def __iter__(self) -> Iterator[tuple[str, Agent]]:
        return iter(sorted(self._agents.items()))

    def __contains__(self, name: str) -> bool:
        return name in self._agents

    def add(self, name: str, one: Agent) -> None:
        """Raises `AgentError` when the name is another agent's."""
        if self._agents.setdefault(name, one) is not one:
            raise AgentError(f"two agents are named {name!r}")

    def get(self, name: str) -> Agent:
        """Raises `AgentUnknown`, naming the nearest one."""
        if found := self._agents.get(name):
            return found
        near = get_close_matches(name, self._agents, n=1)
        raise AgentUnknown(f"no agent has this name{f'; did you mean {near[0]!r}?' if near else ''}")

    def load_module(self, name: str) -> None:
        """Add every agent of a module (`package.module`) or a file (`agents.py`). Raises `AgentError`."""
        module = _import(name)
        found = {id(one): one for one in vars(module).values() if isinstance(one, Agent)}
        if not found:
            raise AgentError(f"{name} has no agents: functions with the @agent decorator")
        for one in found.values():
            self.add(one.name, one)

    def load_named(self, agents: Mapping[str, str]) -> None:
        """Add agents that settings name, `name = "module:attribute"`. Raises `AgentError`."""
        for name, target in agents.items():
            module, _, attribute = target.partition(":")
            self._add_found(f"[agents] {name}", target, name, _attribute(_import(module), attribute))

    def load_installed(self) -> None:
        """Add the agents of installed packages, by the entry-point group `sse_server.agents`. Raises `AgentError`."""
        from importlib.metadata import entry_points  # noqa: PLC0415  (an agent's file must not wait for it)

        for point in entry_points(group=ENTRY_POINTS):
            with _explained(point.value):
                one = point.load()
            self._add_found(f"entry point {point.name}", point.value, point.name, one)

    def _add_found(self, where: str, target: str, name: str, found: object) -> None:
        if not isinstance(found, Agent):
            raise AgentError(f"{where}: {target} is no agent: a function with the @agent decorator")
        self.add(name, found)


def _import(name: str) -> ModuleType:
    with _explained(name):
        return _load(Path(name)) if name.endswith(".py") else importlib.import_module(name)


def _load(path: Path) -> ModuleType:
    """A file as a module named by its path: `email.py` must not become everybody's `email`."""
    path = path.resolve()
    name = str(path)
    if known := sys.modules.get(name):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise AgentError("there is no such file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _attribute(module: ModuleType, path: str) -> object:
    found: object = module
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Somebody else's code runs here and may raise anything: say whose it was."""
    try:
        yield
    except AgentError as error:
        raise AgentError(f"{name}: {error.detail}") from error
    except Exception as error:
        raise AgentError(f"can't import {name}: {type(error).__name__}: {error}") from error
