"""Choosing a folder: a path that completes itself, and a tree that counts drawings."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from rich.style import Style
from rich.text import Text as RichText
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import DirectoryTree, Input
from textual.widgets._directory_tree import DirEntry
from textual.widgets._tree import TreeNode

from core.images.folder import Contents, contents
from tui.folders import completions, expanded, tally
from tui.words import plain


class _Folders(Suggester):
    """Suggests the only, or the first, folder that begins so."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """What Tab would make of it."""
        return next(iter(completions(value)), None) if value and not value.endswith("/") else None


class PathInput(Input):
    """A field for a folder."""

    # Tab where there is something to complete; where there is not, it leads to the next field as everywhere.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", show=False)]

    def __init__(self, value: str, **options: Any) -> None:
        super().__init__(plain(value), suggester=_Folders(), select_on_focus=False, **options)

    @property
    def folder(self) -> Path:
        """The folder that is meant."""
        return expanded(self.value)

    def action_complete(self) -> None:
        """As far as all folders agree that begin so, as a shell does."""
        found = completions(self.value) if not self.value.endswith("/") else []
        common = os.path.commonprefix(found)  # noqa: RUF071 - letters, as a shell completes them
        begun, self.value = self.value, common if len(common) > len(self.value) else self.value
        self.cursor_position = len(self.value)
        if self.value in (begun, f"{begun}/"):  # there was nothing to complete
            self.screen.focus_next()


class FolderTree(DirectoryTree):
    """Folders only, each with how many drawings and captions it holds."""

    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▾ "

    class Marked(Message):
        """The cursor is on a folder."""

        def __init__(self, folder: Path) -> None:
            super().__init__()
            self.folder = folder

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(root, **options)
        self.show_guides = True
        self.guide_depth = 2
        self._hidden = False
        self._counts: dict[Path, Contents] = {}

    def toggle_hidden(self) -> None:
        """Show hidden folders too, or no longer."""
        self._hidden = not self._hidden
        self.reload()

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Folders, counted here: this runs in the thread that reads the disk."""
        found = []
        for path in paths:
            if (self._hidden or not path.name.startswith(".")) and _is_folder(path):
                self._counts[path] = contents(path)
                found.append(path)
        return found

    def render_label(self, node: TreeNode[DirEntry], base_style: Style, style: Style) -> RichText:
        """Name and counts; a name is never markup."""
        path = node.data.path if node.data else Path()
        label = RichText(plain(path.name or str(path)), style=style)
        prefix = RichText(self.ICON_NODE_EXPANDED if node.is_expanded else self.ICON_NODE, style=base_style)
        held = self._counts.get(path)
        counts = f"  {tally(held)}" if held and (held.drawings or held.unreadable or held.trouble) else ""
        return RichText.assemble(prefix, label, RichText(counts, style="dim"))

    def on_tree_node_highlighted(self, highlighted: "DirectoryTree.NodeHighlighted[DirEntry]") -> None:
        """Tell where the cursor is."""
        if highlighted.node.data:
            self.post_message(self.Marked(highlighted.node.data.path))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
