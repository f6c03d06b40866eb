"""Medians, percentiles and ratios."""

from collections.abc import Sequence
from statistics import median
from typing import Any, TypeAlias

# What a part found, nested by name: numbers, and lists of numbers.
Figures: TypeAlias = dict[str, Any]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """The median of what each round's ratio was: rounds are interleaved, so what else the machine
    did meanwhile met both sides of one round."""
    return round(median(a / b for a, b in zip(of, to, strict=True)), 2)


def middle(values: Sequence[float]) -> int:
    return round(median(values))


def rows(figures: Figures, prefix: str = "") -> list[tuple[str, Any]]:
    """Every figure by its dotted name."""
    listed: list[tuple[str, Any]] = []
    for name, value in figures.items():
        path = f"{prefix}{name}"
        listed += rows(value, f"{path}.") if isinstance(value, dict) else [(path, value)]
    return listed
