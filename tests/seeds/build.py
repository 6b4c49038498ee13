"""TypeScript and React components, made into what a browser runs; esbuild takes types away and leaves the rest."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

PACKAGES: Final = Path(__file__).parents[1] / "node_modules"
ESBUILD: Final = PACKAGES / ".bin" / "esbuild"
SCENE: Final = Path(__file__).with_name("scene.tsx")
GIVEN: Final = Path(__file__).with_name("given.tsx")
HOOK: Final = Path(__file__).with_name("use_sse.ts")


def javascript(source: str) -> str:
    """A TypeScript module as JavaScript."""
    return _esbuild(source, "--loader=ts")


def scene(name: str, components: str, shown: str) -> str:
    """Components with React and all that they take for granted; under `name` the page tells what `shown` looks like."""
    source = SCENE.read_text().replace("NAME", name).replace("SHOWN", shown) + components
    options = ["--loader=tsx", "--bundle", "--format=iife", "--jsx=automatic"]
    ours = [f"--alias:@/hooks/useSSE={HOOK}", f"--inject:{GIVEN}"]
    return _esbuild(source, *options, *ours, '--define:process.env.NODE_ENV="development"')


def _esbuild(source: str, *options: str) -> str:
    built = subprocess.run(
        [ESBUILD, "--log-level=warning", *options],
        input=source,
        env=os.environ | {"NODE_PATH": str(PACKAGES)},
        cwd=PACKAGES.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return built.stdout
