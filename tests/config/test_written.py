"""What is written about the settings, in config.toml and in the docs, is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

import sse_server.config
from sse_server.config import PLATFORMS, Settings, fields, load
from sse_server.config.environment import REFUSED, USUAL
from sse_server.config.fields import sections

ROOT = Path(__file__).parents[2]


def test_every_setting_is_described_in_one_sentence() -> None:
    for field in fields().values():
        assert re.fullmatch(r"[A-Z?].*\.", field.description), field
        assert field.expected, field


def toml(value: object) -> str:
    """A default as TOML writes it."""
    return msgspec.json.encode(value).decode()


def config_lines() -> list[str]:
    """What config.toml must say below its opening comment."""
    lines: list[str] = []
    for section, kind in sections().items():
        lines += ["", f"[{section}]  # {kind.__doc__}"]
        for field in fields().values():
            if field.name.startswith(f"{section}."):
                lines.append(f"#{field.name.partition('.')[2]} = {toml(field.default)}  # {field.description}")
    return [*lines, "", "[agents]  # Agents to register.", '#name = "module:attribute"']


def test_config_toml_has_every_setting_with_its_default_and_meaning() -> None:
    written = (ROOT / "config.toml").read_text().splitlines()
    assert written[written.index("") :] == config_lines()


def test_config_toml_sets_nothing_and_without_its_hashes_sets_the_defaults(tmp_path: Path) -> None:
    shipped = (ROOT / "config.toml").read_text()
    assert load(ROOT / "config.toml", environ={}) == Settings()  # else it would hide what a platform suggests

    opened = tmp_path / "opened.toml"
    opened.write_text(re.sub(r"^#(?=\w+ = )", "", shipped, flags=re.MULTILINE))
    settings = load(opened, environ={})
    assert settings.origins.keys() == {*fields(), "agents.name"}
    assert all(getattr(settings, section) == getattr(Settings(), section) for section in sections())


def docs_tables() -> list[str]:
    """The rows that docs/configuration.md must have, in this order, and no others."""
    rows: list[str] = []
    for section in sections():
        rows += [
            f"| `{name.partition('.')[2]}` | `{toml(field.default)}` | {field.expected} | {field.description} |"
            for name, field in fields().items()
            if name.startswith(f"{section}.")
        ]
    rows += [f"| `{variable}` | `{name}` |" for variable, (name, _) in USUAL.items()]
    rows += [f"| `{variable}` | refused: {why} |" for variable, why in REFUSED.items()]
    rows += [
        f"| {platform.name} (`{platform.variable}`) | `{name}` | `{toml(because.value)}` | {because.why} |"
        for platform in PLATFORMS
        for name, because in platform.settings.items()
    ]
    return rows


def test_the_docs_have_every_setting_every_usual_name_and_every_platform() -> None:
    docs = (ROOT / "docs" / "configuration.md").read_text()
    rows = [line for line in docs.splitlines() if line.startswith("|")]
    assert [row for row in rows if "`" in row] == docs_tables()
    headings = re.findall(r"^### `\[(\w+)\]`\n\n(.+)$", docs, flags=re.MULTILINE)
    assert dict(headings[: len(sections())]) == {name: kind.__doc__ for name, kind in sections().items()}
    assert all(platform.caution in docs for platform in PLATFORMS)


def test_nothing_else_reads_the_environment_or_toml() -> None:
    package = Path(sse_server.config.__file__).parents[1]
    readers = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if re.search(r"\b(os\.environ|getenv|environb|tomllib)\b", path.read_text())
    }
    assert readers == {"config"}
