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


def _quick(number: int) -> Callable[[], str]:
    return lambda: _("Quick tag {n}").format(n=number)


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
    "captions.accept_back": Key("backspace", "accept_back", lambda: _("Back, not right")),
    "captions.unreviewed": Key("u", "next_unreviewed", lambda: _("Next unread")),
    "captions.problem": Key("n", "next_problem", lambda: _("Next with a problem")),
    "captions.previous_problem": Key("N", "previous_problem", lambda: _("Previous with a problem")),
    "captions.queue": Key("q", "queue", lambda: _("What needs a person")),
    "captions.tag_before": Key("left,h", "tag(-1)", lambda: _("Tag before")),
    "captions.tag_after": Key("right,l", "tag(1)", lambda: _("Next tag")),
    "captions.add": Key("a", "add", lambda: _("Add tags")),
    "captions.delete": Key("d,delete", "delete", lambda: _("Remove the tag")),
    "captions.rename": Key("r", "rename(False)", lambda: _("Rename the tag")),
    "captions.rename_all": Key("R", "rename(True)", lambda: _("Rename it everywhere")),
    "captions.tag_earlier": Key("H", "move_tag(-1)", lambda: _("Tag to the left")),
    "captions.tag_later": Key("L", "move_tag(1)", lambda: _("Tag to the right")),
    "captions.repeat": Key("full_stop", "repeat", lambda: _("Last change again")),
    **{f"captions.quick_{number}": Key(str(number), f"quick({number})", _quick(number)) for number in range(1, 10)},
    "captions.pin": Key("plus", "pin", lambda: _("Make it a quick tag")),
    "captions.filter": Key("slash", "filter", lambda: _("Show only …")),
    "captions.with_tag": Key("f", "show_tag(False)", lambda: _("Only with this tag")),
    "captions.without_tag": Key("F", "show_tag(True)", lambda: _("Only without it")),
    "captions.mark": Key("m", "mark", lambda: _("Mark")),
    "captions.mark_to": Key("M", "mark_to", lambda: _("Mark up to here")),
    "captions.mark_all": Key("asterisk", "mark_all", lambda: _("Mark all shown")),
    "captions.invert": Key("V", "invert", lambda: _("Turn the marks round")),
    "captions.replace": Key("s", "replace", lambda: _("Find and replace")),
    "captions.table": Key("t", "table", lambda: _("All tags")),
    "captions.sweep": Key("w", "sweep", lambda: _("Yes or no, one by one")),
    "captions.write": Key("T", "write", lambda: _("Let taggers write"), footer=True),
    "captions.compare": Key("c", "compare", lambda: _("What the tagger saw")),
    "captions.import": Key("I", "import", lambda: _("Other tools' captions")),
    "captions.prune": Key("p", "prune", lambda: _("What to leave out")),
    "captions.mend": Key("b", "mend", lambda: _("Mend")),
    "captions.problems": Key("B", "problems", lambda: _("All problems")),
    "captions.exclude": Key("x", "exclude", lambda: _("Leave the drawing out")),
    "captions.journal": Key("U", "journal", lambda: _("Everything done")),
    "captions.path": Key("o", "path", lambda: _("Copy the path")),
    "captions.word": Key("W", "word", lambda: _("Activation word")),
    "captions.suggest": Key("A,f3", "suggest", lambda: _("Suggest a word")),
    "captions.palette": Key("colon", "app.command_palette", lambda: _("Every action")),

    "base.fetch": Key("f", "fetch", lambda: _("Fetch"), footer=True),
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

    "scope.before": Key("left,h", "turn(-1)", lambda: _("The scope before")),
    "scope.after": Key("right,l,space", "turn(1)", lambda: _("The next scope")),

    "changes.make": Key("enter", "make", lambda: _("Make the change"), priority=True),

    "tags.rename": Key("r", "rename", lambda: _("Rename")),
    "tags.remove": Key("d", "remove", lambda: _("Remove")),
    "tags.add": Key("a", "add", lambda: _("Add")),
    "tags.front": Key("H", "front", lambda: _("To the front")),
    "tags.filter": Key("f,enter", "filter", lambda: _("Captions with it")),
    "tags.without": Key("F", "without", lambda: _("Captions without it")),
    "tags.sweep": Key("w", "sweep", lambda: _("Sweep")),
    "tags.mark": Key("m,space", "mark", lambda: _("Mark")),
    "tags.sort": Key("s", "sort", lambda: _("Sort")),
    "tags.find": Key("slash", "find", lambda: _("Find")),

    "sweep.yes": Key("y,s,1", "decide(True)", lambda: _("It has the tag")),
    "sweep.no": Key("n,0", "decide(False)", lambda: _("It lacks the tag")),
    "sweep.leave": Key("space", "leave", lambda: _("Leave as it is")),
    "sweep.on": Key("enter", "on", lambda: _("Go on, or keep all")),
    "sweep.before": Key("backspace", "before", lambda: _("One back")),

    "journal.go": Key("enter", "go", lambda: _("Go there")),

    "list.tick": Key("space", "tick", lambda: _("Tick")),
    "list.group": Key("g", "group", lambda: _("Tick the group"), priority=True),
    "list.all": Key("A", "all", lambda: _("Tick all that is proposed")),
    "list.all_seen": Key("a", "all_seen", lambda: _("Add all that was seen")),
    "list.none": Key("N", "none", lambda: _("Tick none")),
    "list.take": Key("enter", "take", lambda: _("Take what is ticked")),

    "lint.only": Key("enter", "only", lambda: _("Show only these")),
    "lint.mend": Key("b", "mend", lambda: _("Mend all of them")),

    "choice.before": Key("left,h", "turn(-1)", lambda: _("The choice before")),
    "choice.after": Key("right,l,space", "turn(1)", lambda: _("The next choice")),

    "write.begin": Key("enter", "begin", lambda: _("Begin"), priority=True),
    "write.fetch": Key("f", "fetch", lambda: _("Fetch the tagger")),

    "job.stop": Key("x", "stop", lambda: _("Stop")),
    "job.log": Key("l", "log", lambda: _("Log")),
    "job.on": Key("enter", "on", lambda: _("Go on")),
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
