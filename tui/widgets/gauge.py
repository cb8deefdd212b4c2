"""Gauges: a number on a scale, with the band it should be in."""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget


class StepGauge(Widget):
    """The real number of steps on a scale that shows the band the guide aims for."""

    DEFAULT_CSS = "StepGauge { height: 2; }"
    MOST = 800
    """The scale's end: room enough to see how far beyond the band one is."""

    steps: reactive[int] = reactive(0)

    def __init__(self, band: range, **options: str) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._band = band

    def render(self) -> Content:
        """A bar with the band in it, and the band's numbers below."""
        width = max(20, self.size.width)

        def column(steps: float) -> int:
            return min(width, round(steps * width / self.MOST))

        low, high = column(self._band.start), column(self._band.stop - 1)
        here = column(self.steps)
        good = self.steps in self._band
        colour = "$text-success" if good else "$text-warning"
        cells = []
        for place in range(width):
            inside = low <= place < high
            if place < here:
                cells.append(("█" if inside else "▓", colour))
            else:
                cells.append(("░" if inside else "·", "$text-success" if inside else "$foreground-muted"))
        if self.steps > self.MOST:
            cells[-1] = ("→", "bold $text-warning")
        scale = [" "] * width
        for number, place in ((0, 0), (self._band.start, low), (self._band.stop - 1, high)):
            for offset, digit in enumerate(str(number)):
                if place + offset < width:
                    scale[place + offset] = digit
        return Content.assemble(*cells, "\n", ("".join(scale), "$foreground-muted"))


class MemoryMeter(Widget):
    """How much of a memory is ours, others', and free; bytes."""

    DEFAULT_CSS = "MemoryMeter { height: 1; }"

    parts: reactive[tuple[int, int, int]] = reactive((0, 0, 0))
    """Used by us, used by others, and the whole."""

    def render(self) -> Content:
        """A bar in three parts."""
        ours, others, whole = self.parts
        width = max(10, self.size.width)
        if whole <= 0:
            return Content("")
        mine = min(width, -(-ours * width // whole)) if ours else 0
        theirs = min(width - mine, round(others * width / whole))
        return Content.assemble(
            ("█" * mine, "$text-primary"),
            ("▒" * theirs, "$text-warning"),
            ("░" * (width - mine - theirs), "$foreground-muted"),
        )


class Bar(Widget):
    """How far something is."""

    DEFAULT_CSS = "Bar { height: 1; }"

    share: reactive[float] = reactive(0.0)
    """0 to 1."""

    def render(self) -> Content:
        """A bar, filled from the left."""
        width = max(4, self.size.width)
        full = min(width, int(self.share * width))
        return Content.assemble(("━" * full, "$text-primary"), ("─" * (width - full), "$foreground-muted"))
