"""What the tests of the source documents share: the documents, the server, a caller and a terminal."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from sse_server.broadcast import EnhancedSSEBroadcaster, get_sse_broadcaster
from tests.chromium import BROWSER
from tests.seeds.build import ESBUILD
from tests.seeds.documents import Command, Documents, folder
from tests.seeds.front import Front
from tests.seeds.house import CALM, House, Visitor, serving
from tests.seeds.shell import Shell

Require = Callable[[object, str], None]


@pytest.fixture(scope="session")
def documents(require: Require) -> Documents:
    found = folder()
    require(found, "the source documents are not here; SSE_SEEDS names their folder")
    assert found
    return Documents(found)


@pytest.fixture
def command(request: pytest.FixtureRequest, documents: Documents, require: Require) -> Command:
    """The printed command that the test names."""
    found = documents.commands[request.param]
    for tool in ("curl", "jq", "gawk"):
        require(shutil.which(tool), f"{tool} is not installed")
    return found


@pytest.fixture(scope="session")
def secret(documents: Documents) -> str:
    """The secret that the documents' own tokens are signed with."""
    found = re.search(r"'([^']{32,})',\n *\{ algorithm", documents["001 bash 4"])
    assert found
    return found[1]


@pytest.fixture(scope="session")
def house(secret: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that asks for tokens. Callers differ by name, so all tests share it."""
    with serving(tmp_path_factory.mktemp("house") / "work", secret) as house:
        yield house


@pytest.fixture(scope="session")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that asks nobody for a token, as it comes."""
    with serving(tmp_path_factory.mktemp("open") / "work", "", **CALM) as house:
        yield house


@pytest.fixture
async def visitor(house: House, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    """A caller whom no other test knows."""
    async with Visitor(house, request.node.name, scope="stats") as visitor:
        yield visitor


@pytest.fixture
async def front(visitor: Visitor, require: Require) -> AsyncIterator[Front]:
    """The origin of that caller's page."""
    require(BROWSER, "chromium is not installed")
    require(ESBUILD.exists(), "the packages of tests/package.json are not installed (npm ci)")
    async with Front(visitor) as front:
        yield front


@pytest.fixture
def shell(visitor: Visitor, tmp_path: Path) -> Shell:
    """A terminal of that caller's."""
    return Shell(visitor.house.folder, tmp_path, visitor.house.address, visitor.token)


@pytest.fixture
def open_shell(open_house: House, tmp_path: Path) -> Shell:
    """A terminal before the server that asks for no token."""
    return Shell(open_house.folder, tmp_path, open_house.address, "nobody-looks-at-it")


@pytest.fixture
async def broadcaster() -> AsyncIterator[EnhancedSSEBroadcaster]:
    """The one of this process, on a log of its own."""
    broadcaster = get_sse_broadcaster()
    yield broadcaster
    await broadcaster.shutdown()
