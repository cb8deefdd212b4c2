"""Where in the wizard one is: a line at the top of every screen."""

from textual.content import Content
from textual.widget import Widget

from tui.wizard import ORDER, title
from tui.words import cells, shortened


class Rail(Widget):
    """The screens of the wizard with the present one marked; names of all where there is room."""

    DEFAULT_CSS = """
    Rail { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """

    def __init__(self, at: str, project: str) -> None:
        super().__init__()
        self._at, self._project = at, project

    def render(self) -> Content:
        """The line, as long as there is room for."""
        here, width = ORDER.index(self._at), self.size.width
        marks = ["✓" if number < here else "●" if number == here else "○" for number in range(len(ORDER))]
        styles = [
            "$text-success" if number < here else "bold $text-primary" if number == here else "$foreground-muted"
            for number in range(len(ORDER))
        ]
        long = [f"{mark} {title(name)}" for mark, name in zip(marks, ORDER, strict=True)]
        if sum(map(cells, long)) + 2 * len(long) <= width:
            return Content("  ").join(Content.styled(text, style) for text, style in zip(long, styles, strict=True))
        short = Content("").join(Content.styled(mark, style) for mark, style in zip(marks, styles, strict=True))
        name = Content.styled(f"  {here + 1}/{len(ORDER)} {title(self._at)}", "bold $text-primary")
        left = Content.assemble(("Boceto  ", "bold"), short, name)
        room = width - left.cell_length - 2
        if not self._project or room < 4:
            return left
        project = shortened(self._project, room)
        gap = width - left.cell_length - cells(project)
        return Content.assemble(left, " " * gap, (project, "$foreground-muted"))
