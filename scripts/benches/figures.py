"""What a bench found, and the table of all that was found."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from rich.console import Console
from rich.table import Table

FORMATS: Final = {"x": ".2f", "us": ".1f", "ms": ".2f", "s": ".3f", "KiB": ".1f", "/s": ",.0f", "": ",.0f"}


class Figure(Struct, kw_only=True):
    """`most` or `least` is the target, where there is one; `beside` is what it was measured against."""

    bench: str
    what: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None
    beside: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.most is not None:
            return self.value <= self.most
        return self.value >= self.least if self.least is not None else None


class Asked(Struct, frozen=True):
    """How thorough a run is to be: paired `runs`, and whether each is short."""

    runs: int = 5
    quick: bool = False

    def size(self, full: int, quick: int) -> int:
        """One of two sizes."""
        return quick if self.quick else full


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """The median of the ratios of runs that were made in pairs: the machine's moods cancel out."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def percentile(values: Iterable[float], per_cent: float) -> float:
    """By nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * per_cent / 100))]


def show(figures: Iterable[Figure]) -> None:
    """The table."""
    table = Table(title="bench", title_justify="left")
    for name, justify in (("bench", "left"), ("what", "left"), ("measured", "right"), ("target", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("beside")
    before = ""
    for figure in figures:
        target = (
            "" if figure.met is None else f"{'≤' if figure.most is not None else '≥'} {_shown(figure, target=True)}"
        )
        colour = {True: "green", False: "red", None: ""}[figure.met]
        shown = f"[{colour}]{_shown(figure)}[/]" if colour else _shown(figure)
        if figure.bench != before:
            table.add_section()
        table.add_row(figure.bench if figure.bench != before else "", figure.what, shown, target, figure.beside)
        before = figure.bench
    Console().print(table)


def _shown(figure: Figure, *, target: bool = False) -> str:
    value = (figure.most if figure.most is not None else figure.least) if target else figure.value
    return f"{value:{'g' if target else FORMATS[figure.unit]}} {figure.unit}"
