"""Curves made of letters: the loss of a whole run in a few lines."""

from collections.abc import Sequence
from math import ceil, floor

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def smoothed(values: Sequence[float], keep: float = 0.9) -> list[float]:
    """A mean that forgets, without the pull towards zero that it has at its beginning (Adam's correction)."""
    means, mean, weight = [], 0.0, 0.0
    for value in values:
        mean = keep * mean + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        means.append(mean / weight)
    return means


def columns(values: Sequence[float], count: int) -> list[float]:
    """`values` in `count` columns at most, each the mean of its share: the whole run, whatever its length."""
    if len(values) <= count:
        return list(values)
    share = len(values) / count
    edges = [(floor(place * share), max(floor(place * share) + 1, ceil((place + 1) * share))) for place in range(count)]
    return [sum(values[start:end]) / (end - start) for start, end in edges]


class Curve(Widget):
    """Values over a whole run as columns, as high as the widget is."""

    DEFAULT_CSS = "Curve { height: 3; color: $text-primary; }"

    values: reactive[tuple[float, ...]] = reactive(())
    total: reactive[int] = reactive(0)
    """How many values the whole will have; 0 when nobody knows. The curve grows to the right with it."""

    def render(self) -> Content:
        """The columns, the newest at the right."""
        width, height = self.size.width, max(1, self.size.height)
        if not self.values or width < 2:
            return Content("")
        share = min(1.0, len(self.values) / self.total) if self.total else 1.0
        shown = columns(self.values, max(1, round(width * share)))
        least, most = min(shown), max(shown)
        span = (most - least) or 1.0
        # The lowest value keeps an eighth, so that a column never looks like a gap.
        levels = [1 + round((value - least) / span * (height * 8 - 1)) for value in shown]
        lines = (
            "".join(_EIGHTHS[max(0, min(8, level - 8 * line))] for level in levels)
            for line in range(height - 1, -1, -1)
        )
        return Content("\n".join(lines))
