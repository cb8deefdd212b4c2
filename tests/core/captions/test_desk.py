import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.captions import store
from core.captions.desk import AT_ONCE, Desk
from core.errors import BocetoError
from core.images.treatment import Treatment

OUT = Treatment(excluded=True)


def folder_of(tmp_path: Path, **captions: bytes) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir(exist_ok=True)
    for name, content in captions.items():
        (folder / f"{name}.txt").write_bytes(content)
    return folder


def sit_down(folder: Path, *names: str) -> Desk:
    names = names or tuple(sorted(f"{path.stem}.png" for path in folder.glob("*.txt")))
    return Desk.open(folder.parent / "journal.jsonl", {name: store.read(folder / name) for name in names})


def die(desk: Desk) -> None:
    """As after `kill -9`: the lock goes, and nothing more is said."""
    desk._journal._file.close()


def test_what_is_done_is_taken_back_and_made_again_to_the_byte(tmp_path):
    first = {"a": b"\xef\xbb\xbfcat,  dog\r\n", "b": b"caf\xe9\r", "c": b"base64:tree\n\n"}
    folder = folder_of(tmp_path, **first)
    desk = sit_down(folder, "a.png", "b.png", "c.png", "d.png")
    desk.change("one", {"a.png": "bird"})
    desk.change("all", {name: f"a new text for {name}" for name in desk.files})
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after["b.txt"] == b"a new text for b.png\r" and len(after) == 4
    assert desk.undo() and desk.undo() and desk.undo() is None
    assert {path.stem: path.read_bytes() for path in folder.iterdir()} == first
    assert desk.go_to(2).name == "all"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == after
    assert desk.redo() is None


def test_undo_goes_on_after_the_window_was_closed_or_killed(tmp_path):
    folder = folder_of(tmp_path, a=b"cat", b=b"dog")
    desk = sit_down(folder)
    desk.change("one", {"a.png": "bird"})
    desk.close()
    desk = sit_down(folder)
    desk.change("two", {"b.png": "fish"})
    die(desk)
    desk = sit_down(folder)
    assert not desk.recovered.files
    assert [step.name for step in desk.steps] == ["one", "two"]
    assert desk.undo() and desk.undo()
    assert {path.read_bytes() for path in folder.iterdir()} == {b"cat", b"dog"}


def test_a_batch_is_written_in_its_time_and_survives_a_kill_in_between(tmp_path):
    count = AT_ONCE + 10
    folder = folder_of(tmp_path, **{f"d{number:03d}": b"cat" for number in range(count)})
    desk = sit_down(folder)
    desk.change("batch", dict.fromkeys(desk.files, "dog"))
    assert {file.text for file in desk.files.values()} == {"dog"}
    assert {path.read_bytes() for path in folder.iterdir()} == {b"cat"}
    die(desk)
    desk = sit_down(folder)
    assert len(desk.recovered.files) == count
    assert {path.read_bytes() for path in folder.iterdir()} == {b"dog"}
    desk.undo()
    worker = Thread(target=desk.settle)
    worker.start()
    desk.change("one more", {"d000.png": "fish"})
    worker.join()
    desk.close()
    assert sorted({path.read_bytes() for path in folder.iterdir()}) == [b"cat", b"fish"]


def test_treatments_and_the_word_are_taken_back_too_and_known_again_after_a_kill(tmp_path):
    desk = sit_down(folder_of(tmp_path, a=b"cat"))
    done = desk.change("leave out a.png", treatments={"a.png": (None, OUT)}, word=("", "houtline"))
    assert (done.treatments, done.word) == ({"a.png": OUT}, "houtline")
    die(desk)
    desk = sit_down(tmp_path / "dataset")
    assert (desk.recovered.treatments, desk.recovered.word) == ({"a.png": OUT}, "houtline")
    back = desk.undo()
    assert back and (back.treatments, back.word) == ({"a.png": None}, "")
    desk.close()
    assert not sit_down(tmp_path / "dataset").recovered


def test_a_change_from_outside_is_kept_and_can_be_taken_back(tmp_path):
    folder = folder_of(tmp_path, a=b"cat", b=b"dog")
    desk = sit_down(folder)
    desk.change("mine", {"a.png": "bird"})
    (folder / "a.txt").write_bytes(b"theirs")
    done = desk.change("batch", {"a.png": "bird, two", "b.png": "dog, two"})
    assert done.outside == ("a.png",)
    assert ((folder / "a.txt").read_bytes(), desk.files["a.png"].text) == (b"theirs", "theirs")
    assert (folder / "b.txt").read_bytes() == b"dog, two"
    (folder / "a.txt").unlink()
    assert desk.look().outside == ("a.png",)
    assert not desk.look()
    desk.undo()  # their removal
    desk.undo()  # the batch
    desk.undo()  # their text
    assert (folder / "a.txt").read_bytes() == b"bird"


def test_a_change_made_while_nobody_sat_there_stops_the_undo_once(tmp_path):
    folder = folder_of(tmp_path, a=b"cat")
    desk = sit_down(folder)
    desk.change("mine", {"a.png": "bird"})
    desk.close()
    (folder / "a.txt").write_bytes(b"theirs")
    desk = sit_down(folder)
    found = desk.undo()
    assert found and found.outside == ("a.png",)
    assert (folder / "a.txt").read_bytes() == b"theirs"
    desk.undo()
    desk.undo()
    assert (folder / "a.txt").read_bytes() == b"cat"


def test_drawings_that_share_a_caption_share_its_changes(tmp_path):
    folder = folder_of(tmp_path, tree=b"cat")
    desk = sit_down(folder, "tree.jpg", "tree.png")
    done = desk.change("both", {"tree.png": "dog", "tree.jpg": "dog"})
    assert set(done.files) == {"tree.jpg", "tree.png"}
    assert {file.text for file in desk.files.values()} == {"dog"}
    assert not desk.look()
    desk.undo()
    assert (folder / "tree.txt").read_bytes() == b"cat"


def test_what_cannot_be_written_is_named_and_the_rest_is_done(tmp_path):
    folder = folder_of(tmp_path, a=b"cat", b=b"dog", c=b"fish")
    (folder / "a.txt").chmod(0o444)
    (folder / "d.txt").mkdir()
    desk = sit_down(folder, "a.png", "b.png", "c.png", "d.png")
    done = desk.change("batch", {**dict.fromkeys(desk.files, "bird"), "c.png": "half a character: \ud83c"})
    assert set(done.refused) == {"a.png", "c.png", "d.png"}
    assert ((folder / "a.txt").read_bytes(), (folder / "b.txt").read_bytes()) == (b"cat", b"bird")


def test_a_file_that_cannot_be_written_later_is_as_the_disk_has_it(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, **{f"d{number:03d}": b"cat" for number in range(AT_ONCE + 1)})
    desk = sit_down(folder)
    desk.change("batch", dict.fromkeys(desk.files, "dog"))
    put = store.put

    def full(file, content):
        if file.drawing.name == "d003.png":
            raise BocetoError("The disk is full.")
        return put(file, content)

    monkeypatch.setattr(store, "put", full)
    found = desk.settle()
    assert list(found.refused) == ["d003.png"]
    assert desk.files["d003.png"].text == "cat" and found.files["d003.png"].text == "cat"
    monkeypatch.undo()
    desk.go_to(0)
    desk.close()
    assert {path.read_bytes() for path in folder.iterdir()} == {b"cat"}


def test_a_change_that_reaches_only_some_files_at_once_says_which_and_loses_nothing_else(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, a=b"cat", b=b"dog")
    desk = sit_down(folder)
    put = store.put

    def full(file, content):
        if file.drawing.name == "a.png":
            raise BocetoError("The disk is full.")
        return put(file, content)

    monkeypatch.setattr(store, "put", full)
    done = desk.change("both", dict.fromkeys(desk.files, "bird"), word=("", "houtline"))
    assert (list(done.refused), done.word) == (["a.png"], "houtline")
    assert {name: file.text for name, file in desk.files.items()} == {"a.png": "cat", "b.png": "bird"}
    assert {name: done.files[name].text for name in done.files} == {"a.png": "cat", "b.png": "bird"}
    monkeypatch.undo()
    desk.go_to(0)
    assert ((folder / "a.txt").read_bytes(), (folder / "b.txt").read_bytes()) == (b"cat", b"dog")


def test_what_a_full_disk_takes_neither_as_file_nor_as_line_is_done_by_the_next_sitting(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, **{f"d{number:03d}": b"cat" for number in range(AT_ONCE + 1)})
    desk = sit_down(folder)
    desk.change("batch", dict.fromkeys(desk.files, "dog"))

    def full(*_arguments):
        raise BocetoError("The disk is full.")

    monkeypatch.setattr(store, "put", full)
    monkeypatch.setattr(desk._journal, "_append", full)
    assert len(desk.settle().refused) == AT_ONCE + 1
    assert len(desk.close().refused) == AT_ONCE + 1
    monkeypatch.undo()
    desk = sit_down(folder)
    desk.close()
    assert {path.read_bytes() for path in folder.iterdir()} == {b"dog"}


def test_a_line_that_the_disk_did_not_take_leaves_no_trace_in_the_journal(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, a=b"cat")
    desk = sit_down(folder)
    desk.change("one", {"a.png": "bird"})

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BocetoError):
        desk.change("two", {"a.png": "fish"})
    monkeypatch.undo()
    desk.change("three", {"a.png": "dog"})
    desk.close()
    desk = sit_down(folder)
    assert [step.name for step in desk.steps] == ["one", "three"]
    assert desk.undo() and desk.undo()
    assert (folder / "a.txt").read_bytes() == b"cat"


def test_a_text_that_was_made_of_an_older_caption_overwrites_nothing(tmp_path):
    folder = folder_of(tmp_path, a=b"cat")
    desk = sit_down(folder)
    seen = dict(desk.files)
    (folder / "a.txt").write_bytes(b"theirs")
    assert desk.look().outside == ("a.png",)
    done = desk.change("mine", {"a.png": "cat, mine"}, seen=seen)
    assert done.outside == ("a.png",) and done.files["a.png"].text == "theirs"
    assert (folder / "a.txt").read_bytes() == b"theirs"


def test_a_shared_caption_is_taken_back_by_whichever_drawing_comes_first_now(tmp_path):
    folder = folder_of(tmp_path, tree=b"cat")
    desk = sit_down(folder, "tree.png")
    desk.change("one", {"tree.png": "dog"})
    desk.close()
    desk = sit_down(folder, "tree.jpg", "tree.png")
    assert desk.undo()
    assert (folder / "tree.txt").read_bytes() == b"cat"


def test_a_step_of_a_drawing_that_is_not_here_says_so(tmp_path):
    folder = folder_of(tmp_path, a=b"cat", b=b"dog")
    desk = sit_down(folder)
    desk.change("both", dict.fromkeys(desk.files, "bird"))
    desk.close()
    desk = sit_down(folder, "b.png")
    done = desk.undo()
    assert done and list(done.refused) == ["a.png"] and done.files["b.png"].text == "dog"


def test_whoever_looks_after_the_desk_was_left_finds_nothing(tmp_path):
    folder = folder_of(tmp_path, a=b"cat")
    desk = sit_down(folder)
    desk.close()
    (folder / "a.txt").write_bytes(b"theirs")
    assert not desk.look() and not desk.settle()


def test_a_text_that_is_the_same_on_the_disk_is_no_step(tmp_path):
    desk = sit_down(folder_of(tmp_path, a=b"cat\n"))
    assert not desk.change("nothing", {"a.png": "cat\n"})
    assert not desk.steps


def test_a_place_that_is_no_longer_in_the_journal_is_its_end(tmp_path):
    desk = sit_down(folder_of(tmp_path, a=b"cat"))
    desk.change("one", {"a.png": "dog"})
    desk.go_to(7)
    assert desk.position == 1


@pytest.mark.parametrize("killed", [False, True])
def test_a_caption_that_cannot_be_written_holds_nothing_up(tmp_path, monkeypatch, killed):
    folder = folder_of(tmp_path, a=b"cat", b=b"cat", c=b"cat")
    desk = sit_down(folder)
    put = store.put

    def protected(file, content):
        if file.drawing.name == "b.png":
            raise BocetoError("Nobody may write this.")
        return put(file, content)

    monkeypatch.setattr(store, "put", protected)
    desk.change("first", {"a.png": "bird"})
    done = desk.change("all", dict.fromkeys(desk.files, "dog"))
    assert list(done.refused) == ["b.png"] and [step.name for step in desk.steps] == ["first", "all"]
    if killed:
        die(desk)
        desk = sit_down(folder)
    assert desk.undo() and {file.text for file in desk.files.values()} == {"bird", "cat"}
    assert desk.redo() and desk.undo() and desk.undo() and desk.undo() is None
    assert {path.read_bytes() for path in folder.iterdir()} == {b"cat"}


def test_only_one_window_at_a_time(tmp_path):
    folder = folder_of(tmp_path, a=b"cat")
    desk = sit_down(folder)
    with pytest.raises(BocetoError) as refusal:
        sit_down(folder)
    assert refusal.value.hint
    desk.close()
    sit_down(folder).close()


def test_a_journal_that_makes_no_sense_touches_nothing(tmp_path):
    folder = folder_of(tmp_path, a=b"cat")
    (tmp_path / "journal.jsonl").write_text("{nonsense}\n")
    with pytest.raises(BocetoError) as refusal:
        sit_down(folder)
    assert "1" in refusal.value.title
    assert (folder / "a.txt").read_bytes() == b"cat"


class Crash(BaseException):
    """The power goes."""


contents = st.one_of(
    st.binary(max_size=12), st.sampled_from([b"", b"cat, dog", b"cat\r\n", b"\xef\xbb\xbfcat", b"caf\xe9"])
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = ("a.png", "b.png", "c.png")


class Sittings(RuleBasedStateMachine):
    """Whatever is done, taken back, interrupted or changed by others: the files are what the model says."""

    @initialize(first=st.fixed_dictionaries({name: st.none() | contents for name in NAMES}))
    def begin(self, first):
        self.temporary = TemporaryDirectory()
        self.folder = Path(self.temporary.name) / "dataset"
        self.folder.mkdir()
        for name, content in first.items():
            if content is not None:
                self.path(name).write_bytes(content)
        self.states = [dict(first)]
        self.at = 0
        self.desk = self.open()

    def path(self, name):
        return (self.folder / name).with_suffix(".txt")

    def open(self):
        return Desk.open(self.folder.parent / "journal.jsonl", {name: store.read(self.folder / name) for name in NAMES})

    def did(self, state):
        if state != self.states[self.at]:
            self.states[self.at + 1 :] = [state]
            self.at += 1

    def after(self, new):
        state = dict(self.states[self.at])
        for name, text in new.items():
            file = store.holding(self.folder / name, state[name])
            state[name] = store.with_text(file, text)
        return state

    @rule(new=st.dictionaries(st.sampled_from(NAMES), texts, min_size=1))
    def change(self, new):
        self.desk.change("change", new)
        self.did(self.after(new))

    @rule(new=st.dictionaries(st.sampled_from(NAMES), texts, min_size=1), after=st.integers(0, 2))
    def change_and_crash(self, new, after):
        state = self.after(new)
        self.crashing(after, lambda: self.desk.change("change", new))
        self.did(state)

    @rule()
    def undo(self):
        assert (self.desk.undo() is not None) == (self.at > 0)
        self.at = max(0, self.at - 1)

    @rule()
    def redo(self):
        assert (self.desk.redo() is not None) == (self.at < len(self.states) - 1)
        self.at = min(len(self.states) - 1, self.at + 1)

    @rule(share=st.floats(0, 1), after=st.integers(0, 2))
    def jump_and_crash(self, share, after):
        to = round(share * (len(self.states) - 1))
        self.crashing(after, lambda: self.desk.go_to(to))
        self.at = to

    @rule(new=st.dictionaries(st.sampled_from(NAMES), texts, min_size=1))
    def a_line_that_is_cut_off_never_happened(self, new):
        before = {name: file.content for name, file in self.desk.files.items()}
        journal = self.folder.parent / "journal.jsonl"
        length = journal.stat().st_size
        self.desk.change("change", new)
        if journal.stat().st_size > length:
            die(self.desk)
            os.truncate(journal, journal.stat().st_size - 1)
            for name, content in before.items():  # nothing is written before its line is on the disk
                self.path(name).unlink(missing_ok=True)
                if content is not None:
                    self.path(name).write_bytes(content)
            self.desk = self.open()

    @rule(name=st.sampled_from(NAMES), content=st.none() | contents)
    def another_program(self, name, content):
        if self.desk.files[name].content != content:
            self.path(name).unlink(missing_ok=True)
            if content is not None:
                self.path(name).write_bytes(content)
            assert self.desk.look().outside == (name,)
            self.did({**self.states[self.at], name: content})

    @rule()
    def close(self):
        self.desk.close()
        self.desk = self.open()
        assert not self.desk.recovered

    def crashing(self, after, act):
        put, left = store.put, after

        def put_or_crash(file, content):
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            return put(file, content)

        store.put = put_or_crash
        try:
            with suppress(Crash):
                act()
        finally:
            store.put = put
        die(self.desk)
        self.desk = self.open()

    @precondition(lambda self: hasattr(self, "desk"))
    @invariant()
    def files_are_what_the_model_says(self):
        state = self.states[self.at]
        found = {name: self.path(name).read_bytes() if self.path(name).exists() else None for name in NAMES}
        assert found == state
        assert {name: file.content for name, file in self.desk.files.items()} == state
        assert self.desk.position == self.at

    def teardown(self):
        if hasattr(self, "temporary"):
            self.desk.close()
            self.temporary.cleanup()


TestSittings = Sittings.TestCase
TestSittings.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
