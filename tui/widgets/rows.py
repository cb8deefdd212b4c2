"""A list that stays instant with ten thousand rows: only the lines one sees are ever made."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from tui.keys import bind, spoken


class Rows(ScrollView, can_focus=True):
    """Rows of one line each, one of them under the cursor. `draw` makes the words of an item for a width in cells."""

    BINDINGS: ClassVar[list[BindingType]] = bind(
        "list.down", "list.up", "list.page_down", "list.page_up", "list.first", "list.last"
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--row", "rows--cursor", "rows--blurred"}
    DEFAULT_CSS = """
    Rows { height: 1fr; background: $surface; scrollbar-size-vertical: 1; overflow-x: hidden; }
    Rows > .rows--row { color: $foreground; background: $surface; }
    Rows > .rows--cursor { background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }
    Rows > .rows--blurred { background: $panel; color: $foreground; text-style: bold; }
    """

    cursor: reactive[int] = reactive(0, repaint=False)
    """The row under the cursor, counted from 0."""

    class Moved(Message):
        """The cursor is on another row, or the row under it is another."""

        def __init__(self, rows: "Rows") -> None:
            super().__init__()
            self.rows = rows

        def can_replace(self, message: Message) -> bool:
            """Only the last place counts."""
            return isinstance(message, Rows.Moved)

        @property
        def control(self) -> "Rows":
            """The list, for `@on` with a selector."""
            return self.rows

    def __init__(self, draw: Callable[[int, int], Content], **options: Any) -> None:
        """`draw(item, width)` gives one line; items are numbers that mean something to the caller."""
        super().__init__(**options)
        self._bindings = spoken(self._bindings)
        self._draw = draw
        self.items: Sequence[int] = ()

    @property
    def item(self) -> int | None:
        """The item under the cursor."""
        return self.items[self.cursor] if self.cursor < len(self.items) else None

    def show(self, items: Sequence[int], stay_on: int | None = None) -> None:
        """Show other items; the cursor stays on `stay_on`, or the item it was on, when that is still there."""
        wanted = self.item if stay_on is None else stay_on
        self.items = items
        self.virtual_size = Size(0, len(items))
        if wanted is not None and wanted in items:
            place = items.index(wanted)
        else:
            place = min(self.cursor, max(0, len(items) - 1))
        self.set_reactive(Rows.cursor, place)
        self._into_view()
        self.refresh()
        self.post_message(self.Moved(self))

    def move_to(self, item: int) -> None:
        """Put the cursor on an item."""
        if item in self.items:
            self.cursor = self.items.index(item)

    def move_on(self, wanted: Callable[[int], bool], direction: int = 1) -> bool:
        """Put the cursor on the next item that is wanted, round the end of the list; whether there is one."""
        for step in range(1, len(self.items) + 1):
            place = (self.cursor + direction * step) % len(self.items)
            if wanted(self.items[place]):
                self.cursor = place
                return True
        return False

    def redraw(self, item: int) -> None:
        """Draw one item anew."""
        if item in self.items:
            self._refresh_row(self.items.index(item))

    def y_of_cursor(self) -> int:
        """The line of the cursor's row below the top of the list."""
        return self.cursor - int(self.scroll_offset.y)

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        row, width = int(self.scroll_offset.y) + y, self.scrollable_content_region.width
        under_cursor = row == self.cursor
        name = "rows--row" if not under_cursor else "rows--cursor" if self.has_focus else "rows--blurred"
        style = self.get_visual_style(name)
        if row >= len(self.items) or width < 1:  # while a window becomes narrow there is no room at all for a moment
            return Strip.blank(width, self.get_visual_style("rows--row").rich_style)
        words = self._draw(self.items[row], width)
        strip = Visual.to_strips(self, words, width, 1, style)[0]
        return strip.adjust_cell_length(width, style.rich_style)

    def validate_cursor(self, cursor: int) -> int:
        """Never off the list."""
        return max(0, min(cursor, len(self.items) - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        """Draw the two rows that changed."""
        self._refresh_row(before)
        self._refresh_row(now)
        self._into_view()
        if before != now:
            self.post_message(self.Moved(self))

    def action_cursor_down(self) -> None:
        """One row down."""
        self.cursor += 1

    def action_cursor_up(self) -> None:
        """One row up."""
        self.cursor -= 1

    def action_page_down(self) -> None:
        """A screenful down."""
        self.cursor += max(1, self.scrollable_content_region.height - 1)

    def action_page_up(self) -> None:
        """A screenful up."""
        self.cursor -= max(1, self.scrollable_content_region.height - 1)

    def action_first(self) -> None:
        """The first row."""
        self.cursor = 0

    def action_last(self) -> None:
        """The last row."""
        self.cursor = len(self.items) - 1

    def on_click(self, click: events.Click) -> None:
        """The row that was clicked."""
        self.cursor = int(self.scroll_offset.y) + click.y

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._into_view()

    def on_focus(self) -> None:
        """The cursor shows where keys go."""
        self._refresh_row(self.cursor)

    def on_blur(self) -> None:
        """And where they do not."""
        self._refresh_row(self.cursor)

    def _refresh_row(self, row: int) -> None:
        self.refresh(Region(0, row - int(self.scroll_offset.y), self.size.width, 1))

    def _into_view(self) -> None:
        height = self.scrollable_content_region.height
        if height > 0:
            self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)
