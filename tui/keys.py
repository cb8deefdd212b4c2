"""Every key of the screens, each with the id by which it can be given another key.

Only keys that every terminal sends as they are, also inside tmux and over SSH: letters, Enter, Escape, arrows, and few
chords that no multiplexer keeps for itself.
"""

from collections.abc import Callable
from dataclasses import replace

from msgspec import Struct
from textual.binding import Binding, BindingsMap, BindingType

from core.language import _


class Key(Struct, frozen=True):
    """One thing that a key does."""

    keys: str
    action: str
    words: Callable[[], str]
    """What it does, as short as a footer wants it, in the person's language."""
    footer: bool = False
    """Whether the footer has room for it; the help and the palette show all."""
    priority: bool = False
    """Whether it counts even where a field would take the key for itself."""


# fmt: off
KEYS: dict[str, Key] = {
    "help": Key("question_mark,f1", "help", lambda: _("Help"), footer=True),
    "back": Key("escape", "back", lambda: _("Back"), footer=True),
    "next": Key("ctrl+n", "next", lambda: _("Next"), footer=True, priority=True),
    "quit": Key("ctrl+q", "quit", lambda: _("Quit"), priority=True),
    "interrupt": Key("ctrl+c", "interrupt", lambda: _("Quit (twice)")),
    "palette": Key("ctrl+p", "command_palette", lambda: _("Every action"), priority=True),
    "suspend": Key("ctrl+z", "suspend_process", lambda: _("To the shell (fg comes back)"), priority=True),

    "welcome.begin": Key("n", "begin", lambda: _("New LoRA"), footer=True),
    "welcome.demo": Key("d", "demo", lambda: _("Try the demo"), footer=True),
    "welcome.attach": Key("a", "attach", lambda: _("Watch the training"), footer=True),

    "folder.hidden": Key("full_stop", "toggle_hidden", lambda: _("Hidden folders")),

    "list.down": Key("down,j", "cursor_down", lambda: _("Down")),
    "list.up": Key("up,k", "cursor_up", lambda: _("Up")),
    "list.page_down": Key("pagedown", "page_down", lambda: _("Page down")),
    "list.page_up": Key("pageup", "page_up", lambda: _("Page up")),
    "list.first": Key("home,g", "first", lambda: _("First")),
    "list.last": Key("end,G", "last", lambda: _("Last")),
    "list.choose": Key("enter", "choose", lambda: _("Choose")),

    "drawings.look": Key("enter", "look", lambda: _("Look")),
    "drawings.exclude": Key("x,space", "exclude", lambda: _("Leave out"), footer=True),
    "drawings.filter": Key("f", "filter", lambda: _("Filter"), footer=True),
    "drawings.treat": Key("t", "treat", lambda: _("Treatment"), footer=True),
    "drawings.sort": Key("s", "sort", lambda: _("Sort")),
    "drawings.problem": Key("n", "next_problem", lambda: _("Next with a problem")),
    "drawings.twin": Key("c", "compare", lambda: _("Compare duplicates")),
    "drawings.nested": Key("b", "nested", lambda: _("Folders below")),
    "drawings.rescan": Key("R", "rescan", lambda: _("Look again")),
    "undo": Key("z", "undo", lambda: _("Undo")),
    "redo": Key("Z", "redo", lambda: _("Redo")),
    "pictures": Key("i", "pictures", lambda: _("Pictures")),

    "captions.edit": Key("enter,e", "edit", lambda: _("Edit"), footer=True),
    "captions.accept": Key("space", "accept", lambda: _("Right, next"), footer=True),
    "captions.unreviewed": Key("u", "next_unreviewed", lambda: _("Next unread"), footer=True),
    "captions.problem": Key("n", "next_problem", lambda: _("Next with a problem")),
    "captions.previous_problem": Key("N", "previous_problem", lambda: _("Previous with a problem")),
    "captions.word": Key("w", "word", lambda: _("Activation word")),
    "captions.filter": Key("slash", "filter", lambda: _("Find")),
    "captions.reload": Key("R", "reload", lambda: _("Read the files again")),

    "base.path": Key("o", "path", lambda: _("Another folder"), footer=True),

    "steps.take_1": Key("a,f2", "take(0)", lambda: _("Take the first suggestion")),
    "steps.take_2": Key("b,f3", "take(1)", lambda: _("Take the second suggestion")),
    "steps.take_3": Key("c,f4", "take(2)", lambda: _("Take the third suggestion")),
    "steps.recommend": Key("r,f5", "recommend", lambda: _("As recommended"), footer=True),

    "optimizer.advanced": Key("v,f2", "advanced", lambda: _("Advanced"), footer=True),
    "optimizer.reset": Key("r,f5", "reset", lambda: _("As recommended"), footer=True),

    "review.start": Key("s", "start", lambda: _("Start"), footer=True),
    "review.mend": Key("m", "mend", lambda: _("Mend"), footer=True),
    "review.copy": Key("y", "copy", lambda: _("Copy the command"), footer=True),

    "training.save": Key("s", "request('save')", lambda: _("Save now"), footer=True),
    "training.preview": Key("v", "request('preview')", lambda: _("Preview now"), footer=True),
    "training.pause": Key("space", "pause", lambda: _("Pause"), footer=True),
    "training.stop": Key("x", "stop", lambda: _("Stop"), footer=True),
    "training.leave": Key("d", "leave_running", lambda: _("Leave"), footer=True),
    "training.log": Key("l", "log", lambda: _("Log")),
    "training.resume": Key("r", "resume", lambda: _("Go on training"), footer=True),

    "result.copy": Key("y", "copy", lambda: _("Copy the command"), footer=True),
    "result.again": Key("n", "again", lambda: _("Train again"), footer=True),
    "result.preview_after": Key("right", "preview(1)", lambda: _("Next preview")),
    "result.preview_before": Key("left", "preview(-1)", lambda: _("Preview before")),
}
# fmt: on


def bind(*ids: str, quiet: bool = False) -> list[BindingType]:
    """The bindings of these ids, for the `BINDINGS` of a screen or a widget; `quiet` keeps them out of the footer."""
    return [
        Binding(key.keys, key.action, key.words(), show=key.footer and not quiet, priority=key.priority, id=id_)
        for id_, key in ((id_, KEYS[id_]) for id_ in ids)
    ]


def spoken(bindings: BindingsMap) -> BindingsMap:
    """`bindings` in the language of this moment; classes are made once, languages may change."""
    return BindingsMap.from_keys(
        {
            key: [replace(one, description=KEYS[one.id].words()) if one.id in KEYS else one for one in several]
            for key, several in bindings.key_to_bindings.items()
        }
    )
