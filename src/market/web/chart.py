"""Bars of a few weeks, as shapes for an SVG that the server draws: no script, and no style in line.

A table beside the picture says the same to those who can't see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 140
LEFT, RIGHT, TOP, BOTTOM = 8, 352, 22, 118
# The highest bar ends at one of these, times a power of ten.
_STEPS = (1, 2, 5, 10)
_GAP = 0.28


@dataclass(frozen=True, slots=True)
class Bar:
    """A day: `value` in minor units; the rest in the picture's own units."""

    x: float
    y: float
    width: float
    height: float
    value: int
    index: int


@dataclass(frozen=True, slots=True)
class Chart:
    bars: Sequence[Bar]
    top: int

    @property
    def labelled(self) -> Sequence[Bar]:
        """The days whose dates are written below: the first, one in the middle, the last."""
        n = len(self.bars)
        return [self.bars[i] for i in sorted({0, n // 2, n - 1})] if n else []


def bars(values: Sequence[int]) -> Chart:
    """One bar a day, all on one scale that begins at 0."""
    top = _round_up(max([*values, 1]))
    step = (RIGHT - LEFT) / max(len(values), 1)
    return Chart([_bar(i, value, step, top) for i, value in enumerate(values)], top)


def _bar(index: int, value: int, step: float, top: int) -> Bar:
    height = round((BOTTOM - TOP) * value / top, 2)
    x = round(LEFT + step * (index + _GAP / 2), 2)
    return Bar(x, round(BOTTOM - height, 2), round(step * (1 - _GAP), 2), height, value, index)


def _round_up(value: int) -> int:
    power: int = 10 ** (len(str(value)) - 1)
    return next(step * power for step in _STEPS if step * power >= value)
