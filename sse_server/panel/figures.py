"""How a person reads a number."""

from __future__ import annotations


def shown(value: float) -> str:
    """Six digits that count, and all of those before the point: `8.04672`, `1,609.34`, `1.2e-07`."""
    if value and not 1e-4 <= abs(value) < 1e15:
        return f"{value:.6g}"
    rounded = float(f"{value:.6g}") if abs(value) < 1e6 else round(value)
    return f"{rounded + 0.0:,.10f}".rstrip("0").rstrip(".")  # + 0.0: there is no -0


def counted(number: int, one: str, many: str = "") -> str:
    """`1 day`, `3 days`."""
    return f"{number:,} {one if abs(number) == 1 else many or f'{one}s'}"


def listed(items: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
