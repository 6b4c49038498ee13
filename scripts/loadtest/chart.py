"""Charts as inline SVG: no script, no style of their own, and letters that stay readable on a phone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Final

from msgspec import Struct

WIDTH: Final = 360
HEIGHT: Final = 190
LEFT, RIGHT, TOP, BOTTOM = 42, 350, 12, 164
"""Where the axes are."""
MOST: Final = 400
"""Points of a line."""

Scale = Callable[[float], float]


class Line(Struct, frozen=True):
    """A line's name, its colour's class, and its points; where a value is None the line has a hole."""

    name: str
    colour: str
    points: Sequence[tuple[float, float | None]]


def over_time(title: str, unit: str, lines: Sequence[Line], *, logarithmic: bool = False) -> str:
    """Lines over the seconds of a run."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points if y is not None]
    if not ys:
        return ""
    end = max(1.0, *xs)
    across = _linear(0.0, end, LEFT, RIGHT)
    if logarithmic:
        floor, top = _decade(max(1e-3, min(ys)), down=True), _decade(max(ys), down=False)
        up, ticks = _logarithmic(floor, top, BOTTOM, TOP), _decades(floor, top)
    else:
        top = _round_up(max(ys))
        up, ticks = _linear(0.0, top, BOTTOM, TOP), [top * step / 4 for step in range(5)]
    parts = [*_grid(ticks, up), *_below(((second, f"{second:,g} s") for second in _seconds(end)), across)]
    parts += [_path(line, across, up) for line in lines]
    return _figure(title, unit, parts, [(line.name, line.colour) for line in lines] if len(lines) > 1 else [])


def thin(points: Sequence[tuple[float, float | None]]) -> Sequence[tuple[float, float | None]]:
    """As many points as can be told apart: of neighbours the highest one stays."""
    step = math.ceil(len(points) / MOST)
    if step < 2:
        return points
    groups = (points[at : at + step] for at in range(0, len(points), step))
    return [max(group, key=lambda point: -1.0 if point[1] is None else point[1]) for group in groups]


def bars(title: str, unit: str, counts: Sequence[tuple[float, int]], number: int = 44) -> str:
    """A histogram over a logarithmic axis: pairs of a value and how often it was."""
    if not counts:
        return ""
    floor, end = _decade(counts[0][0], down=True), _decade(counts[-1][0], down=False)
    across = _logarithmic(floor, end, LEFT, RIGHT)
    width = (RIGHT - LEFT) / number
    heights = [0] * number
    for value, count in counts:
        heights[min(number - 1, max(0, int((across(value) - LEFT) / width)))] += count
    top = _round_up(max(heights))
    up = _linear(0.0, top, BOTTOM, TOP)
    parts = _grid([top * step / 4 for step in range(5)], up)
    parts += _below(((value, f"{value:,g}") for value in _decades(floor, end)), across)
    parts += [
        f'<rect class="a fill" x="{LEFT + width * nth:.1f}" y="{up(height):.1f}" width="{width * 0.88:.2f}"'
        f' height="{BOTTOM - up(height):.1f}"/>'
        for nth, height in enumerate(heights)
        if height
    ]
    return _figure(title, unit, parts, [])


def _figure(title: str, unit: str, parts: Iterable[str], legend: Sequence[tuple[str, str]]) -> str:
    names = "".join(f'<span class="{colour} name">{escape(name)}</span>' for name, colour in legend)
    return (
        f"<figure><figcaption><b>{escape(title)}</b> <small>{escape(unit)}</small> {names}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg></figure>'
    )


def _grid(values: Iterable[float], up: Scale) -> list[str]:
    return [
        f'<path class="grid" d="M{LEFT} {up(value):.1f}H{RIGHT}"/>'
        f'<text x="{LEFT - 5}" y="{up(value) + 3.5:.1f}" text-anchor="end">{_short(value)}</text>'
        for value in values
    ]


def _below(labels: Iterable[tuple[float, str]], across: Scale) -> list[str]:
    return [
        f'<text x="{min(across(value), RIGHT - 3 * len(label) + 8):.1f}" y="{BOTTOM + 16}" text-anchor="middle">'
        f"{escape(label)}</text>"
        for value, label in labels
    ]


def _path(line: Line, across: Scale, up: Scale) -> str:
    """A lone point between two holes is a short stroke, so that it is seen."""
    steps, pen_is_down = [], False
    for x, y in line.points:
        if y is None:
            pen_is_down = False
            continue
        steps.append(f"{'L' if pen_is_down else 'M'}{across(x):.1f} {up(y):.1f}" + ("" if pen_is_down else "h.1"))
        pen_is_down = True
    return f'<path class="{line.colour} line" d="{"".join(steps)}"/>'


def _linear(start: float, end: float, at: float, to: float) -> Scale:
    return lambda value: at + (value - start) / (end - start) * (to - at)


def _logarithmic(start: float, end: float, at: float, to: float) -> Scale:
    low, high = math.log10(start), math.log10(end)
    return lambda value: at + (math.log10(max(value, start)) - low) / (high - low) * (to - at)


def _decade(value: float, *, down: bool) -> float:
    exponent = math.log10(value)
    return float(10 ** (math.floor(exponent) if down else math.floor(exponent) + 1))


def _decades(start: float, end: float) -> list[float]:
    low, high = round(math.log10(start)), round(math.log10(end))
    return [float(10**exponent) for exponent in range(low, high + 1)]


def _seconds(end: float) -> list[float]:
    """Up to six moments that people like to read."""
    step = next((step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600) if end / step <= 5), end / 5)
    return [step * nth for nth in range(int(end / step) + 1)]


def _round_up(value: float) -> float:
    """The next value that divides well by four."""
    if value <= 0:
        return 1.0
    unit = 10 ** math.floor(math.log10(value))
    return float(next(step * unit for step in (1, 2, 4, 6, 8, 10) if step * unit >= value))


def _short(value: float) -> str:
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1000:g}k" if value >= 1e4 else f"{value:g}"
