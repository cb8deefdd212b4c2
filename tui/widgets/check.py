"""A box to tick."""

from typing import Any

from textual.widgets import Checkbox


class Check(Checkbox):
    """Shows by its mark, not only by a colour, whether it is ticked."""

    def __init__(self, label: str = "", value: bool = False, **options: Any) -> None:
        super().__init__(label, value, compact=True, **options)
        self._mark(value)

    def watch_value(self) -> None:
        """Another mark."""
        self._mark(self.value)
        super().watch_value()

    def _mark(self, ticked: bool) -> None:
        self.BUTTON_INNER = "✓" if ticked else " "
